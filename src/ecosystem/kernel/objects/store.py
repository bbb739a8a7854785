"""Bytes by path, in a folder: what is written is there after a power cut, or not at all."""

import asyncio
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import IO, TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore

from ecosystem.kernel.objects.errors import ObjectNotFound, StorageUnavailable

if TYPE_CHECKING:
    from obstore import ObjectMeta


_SETTLED_MAX = 20_000
_LITTLE_BYTES, _PIECE_BYTES = 1 << 18, 1 << 20
_UNFINISHED = re.compile(r"[0-9a-f]{64}(\.[0-9a-f]{16}|#[0-9]+)")
"""Beside the object, under its name: what is not accepted yet; with a number what obstore wrote before we did."""

Accepted = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Stored:
    """`size_bytes` as stored, encrypted. `content`: all of it, where it is little and was asked for."""

    path: str
    size_bytes: int
    modified_at: datetime
    content: bytes | None = None


class FolderStore:
    """A local directory by obstore, but for what it does not do: to wait for the disk, and to look and read at once.

    Each method raises StorageUnavailable, and ObjectNotFound where one is named."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._settled: set[Path] = set()
        with _translated():
            self._store = LocalStore(folder, mkdir=True)

    async def put(self, path: str, content: IO[bytes], accepted: Accepted | None = None) -> None:
        """Replaces at once what is there. Where `accepted` raises nothing was put; the writing does not wait for it."""
        beside = f"{path}.{secrets.token_hex(8)}"
        try:
            # obstore does not wait for the disk, and names at once what it writes.
            with _translated():
                await asyncio.to_thread(self._write, beside, content)
            if accepted is not None:
                await accepted()
            with _translated():
                await asyncio.to_thread(self._name, beside, path)
        except BaseException:
            with suppress(OSError):
                (self.folder / beside).unlink(missing_ok=True)
            raise

    async def look(self, path: str) -> Stored:
        """What is there; what is little is read at once."""
        with _translated():
            return await asyncio.to_thread(self._look, path)

    def _look(self, path: str) -> Stored:
        with (self.folder / path).open("rb") as file:
            found = os.fstat(file.fileno())
            content = file.read() if found.st_size <= _LITTLE_BYTES else None
        return Stored(path, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC), content)

    async def range(self, path: str, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`, or to where the object ends."""
        if start >= end:
            return b""
        with _translated():
            return bytes(await obstore.get_range_async(self._store, path, start=start, end=end))

    async def delete(self, path: str) -> None:
        with _translated():
            await obstore.delete_async(self._store, path)

    async def list(self, prefix: str | None, after: str | None) -> AsyncIterator[Stored]:
        """What has its name, in the order of the paths, behind `after`; one folder at a time is read and held."""
        with _translated():
            found = await obstore.list_with_delimiter_async(self._store, prefix)
        places: list[tuple[str, ObjectMeta | None]] = [(f"{folder}/", None) for folder in found["common_prefixes"]]
        named = (item for item in found["objects"] if not _UNFINISHED.fullmatch(item["path"].rpartition("/")[2]))
        places += [(item["path"], item) for item in named]
        for path, item in sorted(places, key=itemgetter(0)):
            if after is not None and path <= after and not (item is None and after.startswith(path)):
                continue
            if item is not None:
                yield _stored(item)
                continue
            async for stored in self.list(path, after):
                yield stored

    async def remove_unfinished(self, before: datetime) -> int:
        """Remove what writers left that were killed in the middle, and that nobody wrote to since `before`."""
        with _translated():
            return await asyncio.to_thread(self._remove_unfinished, before.timestamp())

    def _remove_unfinished(self, before: float) -> int:
        found = [
            file for file in self.folder.rglob("*[.#]*")
            if _UNFINISHED.fullmatch(file.name) and file.stat().st_mtime < before
        ]  # fmt: skip
        for file in found:
            file.unlink(missing_ok=True)
        return len(found)

    async def ping(self) -> None:
        """Raises StorageUnavailable where nothing could be written."""
        if not await asyncio.to_thread(os.access, self.folder, os.W_OK | os.X_OK):
            raise StorageUnavailable("The folder of the objects cannot be written.")

    def _write(self, beside: str, content: IO[bytes]) -> None:
        """The content is on the disk, and whatever folder above it is not known to be there."""
        place = self.folder / beside
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            shutil.copyfileobj(content, file, _PIECE_BYTES)
            file.flush()
            os.fsync(file.fileno())
        below, new = place.parent, []
        while below != self.folder and below not in self._settled:
            new.append(below)
            below = below.parent
            _wait_for_disk(below)
        if len(self._settled) > _SETTLED_MAX:
            self._settled.clear()
        self._settled.update(new)

    def _name(self, beside: str, path: str) -> None:
        """Give what was written beside its name, and wait for the disk to know it."""
        place = self.folder / path
        (self.folder / beside).replace(place)
        _wait_for_disk(place.parent)


def _wait_for_disk(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stored(item: "ObjectMeta") -> Stored:
    return Stored(item["path"], item["size"], item["last_modified"])


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError):
        raise ObjectNotFound from None
    except (BaseError, OSError) as error:
        raise StorageUnavailable from error
