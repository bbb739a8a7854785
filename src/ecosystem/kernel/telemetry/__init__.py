"""What a process says about itself: JSON log lines, OTLP traces, Prometheus metrics; never personal data."""
