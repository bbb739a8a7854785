"""The PostgreSQL schema of creditx."""
