"""The edge's configuration as JSON-ready values: pure, no file is touched."""
