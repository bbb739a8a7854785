"""How sentences say numbers and moments (`1 attempt`, `once`, `2026-11-24 08:30:00Z`), and quote what others wrote."""

import re
from datetime import UTC, datetime

_SIBILANT = re.compile(r"(s|x|z|ch|sh)$")
_CONSONANT_AND_Y = re.compile(r"(?<=[^aeiou])y$")


def counted(number: float, one: str, many: str | None = None) -> str:
    """`number`, whole, with its noun: `one` where it is 1, else `many`, which is that of `one` where it is regular."""
    whole = round(number)
    return f"{whole} {one if whole == 1 else many or plural(one)}"


def plural(noun: str) -> str:
    """The regular one: batches, companies, pages."""
    if _CONSONANT_AND_Y.search(noun):
        return _CONSONANT_AND_Y.sub("ies", noun)
    return f"{noun}es" if _SIBILANT.search(noun) else f"{noun}s"


def times(number: int) -> str:
    """How often: `once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def moment(at: datetime, *, exact: bool = False) -> str:
    """In UTC, to the second, or to the millisecond where much happens in one."""
    utc = at.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S}.{utc.microsecond // 1000:03d}Z" if exact else f"{utc:%Y-%m-%d %H:%M:%SZ}"


def one_line(words: str) -> str:
    """Text of others without control, format and bidirectional characters, and without room at its ends."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in words).split())
