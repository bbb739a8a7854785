"""Work that no machine can finish: runs that stay in ERROR, and faults that need a person."""
