"""Owns compliance documents: their content, what was read on them and how they were judged.
Refuses what cannot be read safely, and to parse a customer's byte outside the sandbox.
Tells the orchestrator of each document that arrives, and whoever reviews of each that needs a person.
"""
