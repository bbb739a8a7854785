"""Twins of the outside world and a whole kernel in one process, for tests."""
