"""recovery-agent owns the faults of the platform: what was seen, what was done about each, and who was called.
It refuses to act beyond a budget, on a kind that is paused, or on what it no longer sees.
It tells everybody by fault_observed, repair_recorded, fault_cleared and help_needed.
"""
