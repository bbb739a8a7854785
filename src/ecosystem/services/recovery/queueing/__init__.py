"""The queue of absent agents, for people: what waits, for how long, and what may be done about it."""
