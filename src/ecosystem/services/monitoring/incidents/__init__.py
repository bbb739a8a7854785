"""Incidents: one for each episode of a fault, from its first sign to its post-mortem."""
