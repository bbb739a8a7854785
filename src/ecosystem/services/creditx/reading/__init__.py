"""Reading a document: what its bytes are, its text layer, and the values on it. Runs in the sandbox only."""
