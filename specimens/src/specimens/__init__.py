"""Specimens: documents made up from a seed, each with the truth about itself.

Everything in them is fictional. A seed and an `as_of` date give the same bytes on every machine; layout, wording,
fonts and formats vary with the seed. Nothing of the platform is imported: truth must not learn from what it judges.
"""
