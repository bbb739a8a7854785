"""Ecosystem: one multi-tenant platform for compliance, automation, threats, endpoints and phones."""

__version__ = "0.1.0"
