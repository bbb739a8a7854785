"""Owns the public edge: the files from which an Envoy takes its listener, routes, clusters and keys.

Refuses to replace a configuration that Envoy runs by one it cannot read, and leaves instances out that drain.
Tells whoever asks at /v1/edge what it wrote, what Envoy rejected, and whom it sends to.
"""
