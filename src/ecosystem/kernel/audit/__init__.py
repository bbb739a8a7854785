"""Who did what, from where: an event of its own kind, in the unit of work of the deed."""
