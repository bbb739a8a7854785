"""Following a document to its outcome: callers wait, whichever replica finishes it wakes them."""
