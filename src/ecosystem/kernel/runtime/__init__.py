"""A service as a process: what the kernel offers it, what it offers, and the order of start and stop."""
