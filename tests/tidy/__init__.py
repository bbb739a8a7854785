"""Tests about the code itself: a rule without a check is a wish."""
