"""Access tokens: the keys that sign them, who gets one, and how guessing is slowed."""
