"""The services. Each is independent of the others and knows only contracts and kernel."""
