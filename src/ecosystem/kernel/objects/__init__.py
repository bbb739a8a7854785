"""Documents and archives: named by company and keyed hash, encrypted in chunks, kept until their retention ends."""
