"""Documents that await the decision of a person: the queue, claims, decisions."""
