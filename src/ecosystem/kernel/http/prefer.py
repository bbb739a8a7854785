"""`Prefer: wait=SECONDS` (RFC 7240): how long a caller would have its answer wait for something better."""

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import Header

from ecosystem.kernel import context

Prefer = Annotated[
    list[str] | None,
    Header(
        description="`wait=SECONDS` (RFC 7240): answer when it has ended, at the latest after so long.",
    ),
]
"""The header as a route declares it."""
_WAIT = re.compile(r'(?:^|,)\s*wait\s*=\s*"?(\d{1,18})"?\s*(?:[;,]|$)', re.IGNORECASE)
_ANSWER_SECONDS = 1.0


def wait_seconds(prefer: Sequence[str] | None, seconds_max: float) -> int | None:
    """Whole seconds that will be waited at most, within the request's deadline; None where nothing was preferred.

    A preference is no condition (RFC 7240, section 2): what cannot be read is passed over.
    """
    # Several headers are one list (RFC 7240, section 2).
    found = _WAIT.search(", ".join(prefer)) if prefer else None
    if found is None:
        return None
    left = context.remaining_seconds(otherwise=seconds_max + _ANSWER_SECONDS) - _ANSWER_SECONDS
    return max(0, int(min(int(found[1]), seconds_max, left)))
