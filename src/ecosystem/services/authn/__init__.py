"""Owns companies, clients with their secrets, and the keys that sign tokens.

Refuses whoever cannot prove who it is, and says nothing about another company. Tells by events of companies created,
clients created or revoked, and signing keys rotated.
"""
