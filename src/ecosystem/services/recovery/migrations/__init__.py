"""Revisions of the schema `authn`."""
