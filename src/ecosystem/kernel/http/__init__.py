"""The door for HTTP: principal, problems (RFC 9457), limits, health and metrics."""
