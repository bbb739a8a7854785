"""Pages: those without a text layer are read from their pixels and kept sealed; any page can be shown."""
