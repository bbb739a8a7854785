"""The smallest job, to see whether a sandbox works at all."""


def size(payload: bytes) -> int:
    return len(payload)
