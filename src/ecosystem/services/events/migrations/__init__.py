"""Revisions of the schema `events`."""
