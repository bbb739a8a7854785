"""The kernel's own schema: registry, log, functions, durable execution. Alembic revisions lie in `versions/`."""
