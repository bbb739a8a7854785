"""Sets drafts on pages: pens that remember what was printed where, letterheads, forms, tables, payment slips."""
