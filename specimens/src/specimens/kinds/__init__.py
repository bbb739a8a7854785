"""One module for each kind of document: what stands on it, and how its faults are planted."""
