"""Put, read, verify and, once the retention is over, delete the objects of companies."""

import hashlib
import hmac
import os
import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from ecosystem.kernel import context
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.keys.errors import CiphertextRefused
from ecosystem.kernel.keys.keyring import CompanyKey, DataKey, FreshKey, Keyring
from ecosystem.kernel.keys.sealing import KEY_BYTES, Random
from ecosystem.kernel.objects import format as form
from ecosystem.kernel.objects.errors import (
    ObjectDamaged,
    ObjectNotFound,
    ObjectTooLarge,
    RangeRefused,
    RetentionNotOver,
    StorageUnavailable,
)
from ecosystem.kernel.objects.settings import ObjectsSettings
from ecosystem.kernel.objects.store import Accepted, FolderStore, Stored

_READ_CHUNKS = 16
_UNFINISHED_FOR = timedelta(days=1)


@dataclass(frozen=True)
class ObjectRef:
    """`name` is `<company>/<digest>`; `digest` is the content's HMAC under a key of the company, 64 hex digits."""

    name: str
    size_bytes: int
    digest: str


@dataclass(frozen=True)
class Inspection:
    """What an object says of itself without a key; `stored_bytes` is its size on disk."""

    name: str
    size_bytes: int
    stored_bytes: int
    retain_until: date


class Objects:
    def __init__(
        self,
        settings: ObjectsSettings,
        keyring: Keyring,
        clock: Clock | None = None,
        *,
        random: Random = os.urandom,
    ) -> None:
        self.settings, self._keyring, self._random = settings, keyring, random
        self._clock = clock or SystemClock()
        self._opened: FolderStore | None = None

    def retain_until(self, days: int | None = None) -> date:
        """The date until which an object put today is kept: `days`, else `objects.retention_days`, from now."""
        return (self._clock.now() + timedelta(days=days or self.settings.retention_days)).date()

    async def put(
        self,
        company_id: UUID,
        chunks: AsyncIterator[bytes] | bytes,
        *,
        retain_until: date,
        subject: str = "",
        fresh: FreshKey | None = None,
        replace: bool = False,
        accepted: Accepted | None = None,
    ) -> ObjectRef:
        """Store a content; the same one again is the same object, kept until the later of the dates.

        With `subject`, the object can be read only as long as that subject's key lives: erasure destroys it. `fresh` is
        that key where it is not kept yet; until the caller keeps it, nobody can read the object. With `replace` it is
        written also where one is there that says of itself that it is the same: what is damaged may say so too.
        `accepted` is asked when the content is on the disk and has no name yet, so that writing and judging overlap.

        Raises:
            ObjectTooLarge: nothing was stored.
            StorageUnavailable, KeyDestroyed, and what `chunks` and `accepted` raise: nothing was stored.
        """
        self._enter(company_id)
        company = await self._keyring.company(company_id)
        subject = fresh.subject if fresh is not None else subject
        key = fresh or await self._key(company_id, subject)
        secret, prefix = self._random(KEY_BYTES), self._random(form.PREFIX_BYTES)
        with tempfile.SpooledTemporaryFile(self.settings.memory_bytes_max) as spool:
            sealer = form.Sealer(secret, prefix)
            size, sha256 = await self._spool(sealer, chunks, spool)
            digest = company.object_name(f"{sha256}:{subject}" if subject else sha256)
            ref = ObjectRef(f"{company_id}/{digest}", size, digest)
            # Under a fresh key nothing can be there: the name is made from its subject.
            present = await self._present(ref) if fresh is None and not replace else None
            if present is not None and present.retain_until >= retain_until:
                if accepted is not None:
                    await accepted()
                return ref
            footer = form.Footer(ref.name, subject, size, retain_until, self._clock.now(), b"")
            sealed = key.encrypt(secret, aad=footer.bound)
            footer = form.Footer(ref.name, subject, size, retain_until, footer.created_at, sealed)
            spool.write(sealer.end(footer))
            spool.seek(0)
            await self._store.put(_path(ref.name), spool, accepted)
        return ref

    async def open(self, ref: ObjectRef) -> AsyncIterator[bytes]:
        """The content in pieces of at most 1 MiB; the last one comes only if the whole is what was put.

        Raises:
            ObjectNotFound: also for an object of another company than the context's.
            ObjectDamaged, KeyDestroyed, StorageUnavailable.
        """
        opener, footer, stored = await self._opener(ref.name)
        checksum, held = hashlib.sha256(), b""
        async for piece in self._pieces(opener, footer, stored, 0, form.chunks_of(footer.size_bytes)):
            checksum.update(piece)
            if held:
                yield held
            held = piece
        await self._check_name(footer, checksum.hexdigest())
        yield held

    async def read(self, ref: ObjectRef, offset: int = 0, length: int | None = None) -> bytes:
        """A range of the content, cut where the content ends; without `length` to its end.

        Raises as `open`, and RangeRefused.
        """
        opener, footer, stored = await self._opener(ref.name)
        length = footer.size_bytes - offset if length is None else length
        if not 0 <= offset <= footer.size_bytes or length < 0:
            raise RangeRefused
        end = min(offset + length, footer.size_bytes)
        first, behind = offset // form.CHUNK_BYTES, max(-(-end // form.CHUNK_BYTES), 1)
        if first >= behind or offset == end:
            return b""
        content = b"".join([piece async for piece in self._pieces(opener, footer, stored, first, behind)])
        start = offset - first * form.CHUNK_BYTES
        return content[start : start + end - offset]

    async def verify(self, ref: ObjectRef) -> None:
        """Decrypt the whole and compare it with its name. Raises as `open`."""
        async for _ in self.open(ref):
            pass

    async def inspect(self, name: str) -> Inspection:
        """Needs no key. Raises ObjectNotFound, ObjectDamaged, StorageUnavailable."""
        self._enter(_company_of(name))
        footer, stored = await self._footer(name)
        return Inspection(name, footer.size_bytes, stored.size_bytes, footer.retain_until)

    async def check(self, name: str) -> None:
        """Compare the stored bytes with their checksum; needs no key. Raises ObjectDamaged, ObjectNotFound."""
        self._enter(_company_of(name))
        _, stored = await self._footer(name)
        checksum, position, end = hashlib.sha256(), 0, stored.size_bytes - 32
        while position < end:
            piece = await self._store.range(stored.path, position, min(position + 2**20, end))
            if not piece:
                raise ObjectDamaged
            checksum.update(piece)
            position += len(piece)
        if not hmac.compare_digest(checksum.digest(), await self._store.range(stored.path, end, stored.size_bytes)):
            raise ObjectDamaged

    async def delete(self, ref: ObjectRef) -> None:
        """Raises RetentionNotOver before the day after the retention date; ObjectNotFound, StorageUnavailable."""
        self._enter(_company_of(ref.name))
        footer, stored = await self._footer(ref.name)
        if self._clock.now().date() <= footer.retain_until:
            raise RetentionNotOver(
                f"The object is kept until {footer.retain_until}.", retain_until=footer.retain_until.isoformat()
            )
        await self._store.delete(stored.path)

    async def list(self, company_id: UUID | None = None, *, after: str | None = None) -> AsyncIterator[str]:
        """The names in order, of one company or of all; those behind the name `after`."""
        if company_id is not None:
            self._enter(company_id)
        async for stored in self._store.list(str(company_id) if company_id else None, after and _path(after)):
            if (name := _name(stored.path)) is not None:
                yield name

    async def remove_unfinished(self) -> int:
        """Remove what killed writers left, a day after: no writer takes that long. How many. StorageUnavailable."""
        return await self._store.remove_unfinished(self._clock.now() - _UNFINISHED_FOR)

    async def ping(self) -> None:
        """Raises StorageUnavailable."""
        await self._store.ping()

    @property
    def _store(self) -> FolderStore:
        """Opened on first use: a process that stores nothing makes no folder and no threads."""
        if self._opened is None:
            if self.settings.folder is None:
                raise StorageUnavailable("No object storage is configured.", suggestion="Set objects.folder.")
            self._opened = FolderStore(self.settings.folder)
        return self._opened

    def _enter(self, company_id: UUID) -> None:
        context.refuse_in_unit_of_work("The object storage")
        ours = context.current().company_id
        if ours is not None and ours != company_id:
            raise ObjectNotFound

    async def _key(self, company_id: UUID, subject: str) -> DataKey | CompanyKey:
        return await (self._keyring.subject(company_id, subject) if subject else self._keyring.company(company_id))

    async def _spool(
        self, sealer: form.Sealer, chunks: AsyncIterator[bytes] | bytes, spool: "tempfile.SpooledTemporaryFile[bytes]"
    ) -> tuple[int, str]:
        """Write header and sealed chunks; (size in bytes, SHA-256 in hex) of the plain content."""
        checksum, size, rest = hashlib.sha256(), 0, bytearray()
        spool.write(sealer.begin())
        async for piece in _iterate(chunks):
            size += len(piece)
            if size > self.settings.object_bytes_max:
                raise ObjectTooLarge(f"An object has at most {self.settings.object_bytes_max} bytes.")
            checksum.update(piece)
            rest += piece
            # One byte more than a chunk shows that it is not the last.
            for full in _full_chunks(rest):
                spool.write(sealer.chunk(full, last=False))
        spool.write(sealer.chunk(bytes(rest), last=True))
        return size, checksum.hexdigest()

    async def _present(self, ref: ObjectRef) -> form.Footer | None:
        try:
            footer, _ = await self._footer(ref.name)
        except (ObjectNotFound, ObjectDamaged):
            return None
        return footer

    async def _footer(self, name: str) -> tuple[form.Footer, Stored]:
        stored = await self._store.look(_path(name))
        tail_at = max(stored.size_bytes - form.TRAILER_BYTES - form.FOOTER_BYTES_MAX, 0)
        tail = await self._range(stored, tail_at, stored.size_bytes)
        length = int.from_bytes(tail[-form.TRAILER_BYTES : -32], "big") if len(tail) > form.TRAILER_BYTES else 0
        if not 0 < length <= len(tail) - form.TRAILER_BYTES:
            raise ObjectDamaged("The object's footer cannot be read.")
        footer = form.Footer.decode(tail[-form.TRAILER_BYTES - length : -form.TRAILER_BYTES])
        expected = form.stored_bytes(footer.size_bytes) + length + form.TRAILER_BYTES
        if footer.name != name or stored.size_bytes != expected:
            raise ObjectDamaged("The object was cut, or lies under another name.")
        return footer, stored

    async def _range(self, stored: Stored, start: int, end: int) -> bytes:
        return (
            stored.content[start:end]
            if stored.content is not None
            else await self._store.range(stored.path, start, end)
        )

    async def _opener(self, name: str) -> tuple[form.Opener, form.Footer, Stored]:
        company_id = _company_of(name)
        self._enter(company_id)
        footer, stored = await self._footer(name)
        key = await self._key(company_id, footer.subject)
        try:
            secret = key.decrypt(footer.key, aad=footer.bound)
        except CiphertextRefused:
            raise ObjectDamaged("The object's footer was changed.") from None
        head = await self._range(stored, 0, form.HEADER_BYTES)
        return form.Opener(secret, head, footer.size_bytes), footer, stored

    async def _pieces(
        self, opener: form.Opener, footer: form.Footer, stored: Stored, first: int, behind: int
    ) -> AsyncIterator[bytes]:
        """The plain content of the chunks `first` up to `behind`."""
        end = form.stored_bytes(footer.size_bytes)
        for number in range(first, behind, _READ_CHUNKS):
            start = form.HEADER_BYTES + number * form.SEALED_BYTES
            stop = min(form.HEADER_BYTES + min(number + _READ_CHUNKS, behind) * form.SEALED_BYTES, end)
            yield b"".join(opener.open(await self._range(stored, start, stop), number))

    async def _check_name(self, footer: form.Footer, sha256: str) -> None:
        company = await self._keyring.company(_company_of(footer.name))
        digest = company.object_name(f"{sha256}:{footer.subject}" if footer.subject else sha256)
        if not hmac.compare_digest(digest, footer.name.rsplit("/", 1)[1]):
            raise ObjectDamaged("The object's content is not the one of its name.")


def _full_chunks(rest: bytearray) -> Iterable[bytes]:
    while len(rest) > form.CHUNK_BYTES:
        yield bytes(rest[: form.CHUNK_BYTES])
        del rest[: form.CHUNK_BYTES]


async def _iterate(chunks: AsyncIterator[bytes] | bytes) -> AsyncIterator[bytes]:
    if isinstance(chunks, bytes):
        for start in range(0, len(chunks), 2**20):
            yield chunks[start : start + 2**20]
        return
    async for chunk in chunks:
        yield chunk


def _company_of(name: str) -> UUID:
    company, _, digest = name.partition("/")
    try:
        if len(digest) != 64 or int(digest, 16) < 0:
            raise ObjectNotFound
        return UUID(company)
    except ValueError:
        raise ObjectNotFound from None


def _path(name: str) -> str:
    """In 256 folders per company, so that none grows without bound."""
    company, _, digest = name.partition("/")
    return f"{company}/{digest[:2]}/{digest}"


def _name(path: str) -> str | None:
    parts = path.split("/")
    return f"{parts[0]}/{parts[2]}" if len(parts) == 3 and parts[2].startswith(parts[1]) else None
