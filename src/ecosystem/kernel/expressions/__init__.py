"""Expressions written by users, bounded: the Common Expression Language (CEL)."""
