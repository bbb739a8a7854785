"""The story of one item in plain sentences: each of a fact that is recorded, none concluded."""
