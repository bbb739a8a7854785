"""Texts that people write into requests."""

from pydantic import BeforeValidator

from ecosystem.kernel.words import one_line

ONE_LINE = BeforeValidator(lambda said: one_line(said) if isinstance(said, str) else said)
"""Made one line before its length counts: what nobody can see is no reason and no owner."""
