"""What tests share: engines of their own, waiting for a condition, fleets."""
