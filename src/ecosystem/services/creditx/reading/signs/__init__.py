"""Signs that a document was tampered with: evidence that a person or a rule weighs, never a verdict."""
