"""Lists in pages: `{"items": […], "next_cursor": null | "…"}` with `?limit=&cursor=`."""

import base64
import binascii
from collections.abc import Sequence
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


def decode_cursor(cursor: str | None, size: int) -> list[Any] | None:
    """The `size` values of a cursor, or None where there is none. Raises CursorInvalid."""
    if cursor is None:
        return None
    try:
        values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        raise CursorInvalid from None
    if (
        not isinstance(values, list)
        or len(values) != size
        or any("\0" in one for one in values if isinstance(one, str))
    ):
        raise CursorInvalid
    return values


def page_of(rows: Sequence[T], limit: int, cursor_of: Any) -> tuple[list[T], str | None]:
    """Cut `rows`, read with `limit + 1`, into one page; `cursor_of(row)` is what the next page starts after."""
    kept = list(rows[:limit])
    return kept, encode_cursor(*cursor_of(kept[-1])) if len(rows) > limit else None


def moment_and_id(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    """Of a cursor over what is ordered by a time and an id; (None, None) without one. Raises CursorInvalid."""
    values = decode_cursor(cursor, 2)
    if values is None:
        return None, None
    try:
        return datetime.fromisoformat(values[0]), UUID(values[1])
    except (TypeError, ValueError, AttributeError):
        raise CursorInvalid from None


def id_of(cursor: str | None) -> UUID | None:
    """Of a cursor over what is ordered by its id; None without one. Raises CursorInvalid."""
    values = decode_cursor(cursor, 1)
    if values is None:
        return None
    try:
        return UUID(values[0])
    except (TypeError, ValueError, AttributeError):
        raise CursorInvalid from None
