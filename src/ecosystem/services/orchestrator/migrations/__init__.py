"""Revisions of the schema `orchestrator`."""
