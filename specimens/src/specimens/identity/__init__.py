"""Passports, identity cards and visas: machine readable zones, portraits, and the documents around them."""
