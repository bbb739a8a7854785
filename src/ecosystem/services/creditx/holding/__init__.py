"""Holding what is personal on a document: sealed under the document's own key, and gone with it."""
