"""PostgreSQL, cache and edge: found by URL, else on the PATH, else in their wheels; run in the foreground."""
