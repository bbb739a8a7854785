"""Envelope encryption: a master key wraps a key per company, which wraps a data key per subject."""
