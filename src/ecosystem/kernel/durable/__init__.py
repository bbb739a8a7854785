"""Durable execution: tasks of named steps that any worker continues, on Absurd inside PostgreSQL."""
