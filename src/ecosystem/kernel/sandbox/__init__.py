"""Parsers of customers' bytes run here: forked workers without network, files or children, with limits."""
