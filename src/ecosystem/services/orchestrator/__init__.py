"""Owns the definitions of workflows and their runs, with every transition and its time.
Refuses definitions outside of the DSL's subset, by name, and a change of one that a run has used.
Tells by events which run completed and which failed; asks agents for every step.
"""
