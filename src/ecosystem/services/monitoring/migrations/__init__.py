"""Revisions of monitoring-service."""
