"""Lists in pages: `{"items": […], "next_cursor": null | "…"}` with `?limit=&cursor=`."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import orjson
from fastapi import Query
from pydantic import BaseModel

from ecosystem.kernel.errors import EcosystemError, Kind, Severity

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=200, description="At most this many items.")]
Cursor = Annotated[str | None, Query(max_length=500, description="The next_cursor of the page before.")]


class CursorInvalid(EcosystemError):
    code, status, kind, severity = "cursor_invalid", 422, Kind.PERMANENT, Severity.LOW
    rule = "A cursor is the `next_cursor` of an earlier page, unchanged."
    suggestion = "Start again without `cursor`."


class Page(BaseModel, Generic[T]):
    items: list[T]
    next_cursor: str | None = None


def encode_cursor(*values: Any) -> str:
    """An opaque text of JSON-ready values (datetimes and UUIDs become text)."""
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def read_cursor(cursor: str | None, *kinds: Callable[[Any], Any]) -> tuple[Any, ...] | None:
    """Its values, one for each of `kinds` (UUID, `moment`, `whole`, `text`), or None where there is no cursor.

    Raises CursorInvalid.
    """
    if cursor is None:
        return None
    try:
        values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list):
            raise CursorInvalid
        return tuple(kind(value) for kind, value in zip(kinds, values, strict=True))
    except (binascii.Error, ValueError, TypeError, AttributeError):
        raise CursorInvalid from None


def moment(value: Any) -> datetime:
    """A time with its zone. Raises ValueError, TypeError."""
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError
    return found


def whole(value: Any) -> int:
    """A number that PostgreSQL can hold. Raises ValueError."""
    if type(value) is not int or not 0 <= value < 2**62:
        raise ValueError
    return value


def text(value: Any) -> str:
    """Raises ValueError: no text, or one with U+0000, which PostgreSQL does not keep."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    return value


def page_of(rows: Sequence[T], limit: int, cursor_of: Any) -> tuple[list[T], str | None]:
    """Cut `rows`, read with `limit + 1`, into one page; `cursor_of(row)` is what the next page starts after."""
    kept = list(rows[:limit])
    return kept, encode_cursor(*cursor_of(kept[-1])) if len(rows) > limit else None


def moment_and_id(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    """Of a cursor over what is ordered by a time and an id; (None, None) without one. Raises CursorInvalid."""
    return read_cursor(cursor, moment, UUID) or (None, None)


def id_of(cursor: str | None) -> UUID | None:
    """Of a cursor over what is ordered by its id; None without one. Raises CursorInvalid."""
    found: tuple[UUID | None, ...] = read_cursor(cursor, UUID) or (None,)
    return found[0]
