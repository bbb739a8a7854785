"""Judging a document: rule sets as data, and what follows from them."""
