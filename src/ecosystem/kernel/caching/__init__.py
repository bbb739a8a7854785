"""The cache: cache-aside with single flight; its failure never breaks a request."""
