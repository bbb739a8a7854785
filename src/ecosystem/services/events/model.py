"""The rules of the archive: when a file is closed, and what stands in it."""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import orjson

from ecosystem.kernel.messaging.log import Logged

PLATFORM = "platform"
PLATFORM_ID = UUID(int=0)
"""The company under whose key the platform's own events are archived."""
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Waiting:
    """What has not been archived yet, of one archive and day (UTC)."""

    archive: str
    day: date
    events: int
    size_bytes: int


@dataclass(frozen=True)
class Place:
    """Where one event stands in the log."""

    epoch: int
    xid: int
    id: int
    recorded_at: datetime
    size_bytes: int


@dataclass(frozen=True)
class ArchiveFile:
    """One line of the manifest. `previous_sha256` chains the files of an archive, so that none can be left out."""

    file_id: UUID
    archive: str
    day: date
    number: int
    object_name: str
    object_size_bytes: int
    object_digest: str
    events: int
    size_bytes: int
    content_sha256: str
    first_position: str
    last_position: str
    previous_sha256: str | None
    retain_until: date
    made_at: datetime


def archive_of(company_id: UUID | None) -> str:
    return PLATFORM if company_id is None else str(company_id)


def company_of(archive: str) -> UUID:
    return PLATFORM_ID if archive == PLATFORM else UUID(archive)


def is_due(waiting: Waiting, today: date, *, events_max: int, bytes_max: int) -> bool:
    """A day is closed when it is over; before that only what fills a file."""
    return waiting.day < today or waiting.events >= events_max or waiting.size_bytes >= bytes_max


def fitting(places: Sequence[Place], *, events_max: int, bytes_max: int) -> list[Place]:
    """The first places that fit one file; at least one."""
    kept: list[Place] = []
    size = 0
    for place in places[:events_max]:
        size += place.size_bytes
        if kept and size > bytes_max:
            break
        kept.append(place)
    return kept


class Composition:
    """A file as it grows: gzip of one CloudEvents JSON object per line, with its position.

    Equal events, added in equal pieces, give equal bytes. What was added is held in its compressed form only.
    """

    def __init__(self) -> None:
        self._gzip = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self._pieces: list[bytes] = []
        self.events = 0
        self.first_position = self.last_position = ""

    def add(self, events: Sequence[Logged]) -> None:
        for one in events:
            line = orjson.dumps(one.envelope.as_cloudevent() | {"position": one.cursor})
            self._pieces.append(self._gzip.compress(line + b"\n"))
            self.last_position = one.cursor
        if events and not self.events:
            self.first_position = events[0].cursor
        self.events += len(events)

    def finish(self) -> bytes:
        return b"".join([*self._pieces, self._gzip.flush()])


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
