"""Receiving an upload: streamed, counted, and held outside of every disk until it is known to be harmless."""
