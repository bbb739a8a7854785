"""A job that keeps a sandbox worker busy."""

import time


def spin(_: bytes, seconds: float) -> int:
    """Compute for `seconds`; how many rounds that were."""
    end, rounds = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        sum(range(2000))
        rounds += 1
    return rounds
