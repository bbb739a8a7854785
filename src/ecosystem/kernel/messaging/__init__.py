"""The event log: append in the unit of work, consume exactly once, replay."""
