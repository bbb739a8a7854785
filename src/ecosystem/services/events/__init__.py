"""Owns the archive of the event log and the care for its consumers: replay, dead letters, lag.

Refuses facts of an unknown type or shape, and a replay of what it does not know.
Tells nobody: whom it publishes for speaks through it.
"""
