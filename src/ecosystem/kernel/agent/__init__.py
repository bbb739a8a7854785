"""The agent protocol: cards, tasks, hosting and calling, free of transport until the edge of this package."""
