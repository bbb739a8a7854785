"""A damaged file of the archive is composed again from the log, and put in its place if no bit of it differs."""

import asyncio
from functools import partial
from uuid import UUID

from ecosystem.contracts.objects import ObjectDamageFound, ObjectRestored
from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.errors import EcosystemError, Unavailable
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.kernel.messaging.log import EventLog
from ecosystem.kernel.messaging.outbox import Outbox
from ecosystem.kernel.messaging.position import Position
from ecosystem.kernel.objects.objects import ObjectRef, Objects
from ecosystem.kernel.telemetry.log import log
from ecosystem.services.events import model
from ecosystem.services.events.model import ArchiveFile
from ecosystem.services.events.repository import ArchiveRepository

SOURCE = "event_log"
_PAGE, _FILES_PAGE = 200, 20


class RestoringService:
    def __init__(
        self, database: Database, files: ArchiveRepository, events: EventLog, objects: Objects, outbox: Outbox
    ) -> None:
        self._database, self._files, self._events = database, files, events
        self._objects, self._outbox = objects, outbox

    async def note(self, envelope: Envelope) -> None:
        """Remember the damage of an object that is a file of the archive, in the unit of work of the consumer."""
        await self._files.note_damage(envelope.read(ObjectDamageFound).object_digest)

    async def restore_damaged(self) -> None:
        """Restore what is noted. What the log does not hold any more is left to a person.

        A file that cannot be restored is told, and stays noted: the others are not to wait for it.

        Raises:
            Unavailable: of the storage or the database, which all files need; the next call goes on.
            EcosystemError: what the first file failed with that could not be restored; all others were looked at.
        """
        failed: list[EcosystemError] = []
        after: UUID | None = None
        while page := await self._database.read(partial(self._files.damaged, after, _FILES_PAGE)):
            for file in page:
                try:
                    await self._restore(file)
                except Unavailable:
                    raise
                except EcosystemError as error:
                    failed.append(error)
                    log.error(
                        "a damaged file of the archive cannot be restored", file_id=str(file.file_id), code=error.code
                    )
            after = page[-1].file_id
        if failed:
            raise failed[0]

    async def _restore(self, file: ArchiveFile) -> None:
        content = await self._composed(file)
        whole = model.sha256(content) == file.content_sha256
        if whole:
            await self._put(file, content)
        else:
            log.warning("the log does not hold a damaged file of the archive any more", file_id=str(file.file_id))
        await self._database.run(lambda: self._done(file, whole))

    async def _composed(self, file: ArchiveFile) -> bytes:
        first, last = Position.parse(file.first_position), Position.parse(file.last_position)
        composed, after = model.Composition(), str(Position(first.epoch, first.xid, first.id - 1))
        company_id = None if file.archive == model.PLATFORM else model.company_of(file.archive)
        with context.scope(company_id=company_id):
            while composed.events < file.events:
                page = await self._events.events(after=after, limit=_PAGE)
                wanted = [
                    one for one in page
                    if Position.parse(one.cursor) <= last and one.envelope.recorded_at is not None
                    and one.envelope.recorded_at.date() == file.day
                ]  # fmt: skip
                await asyncio.to_thread(composed.add, wanted)
                if len(page) < _PAGE or Position.parse(page[-1].cursor) >= last:
                    break
                after = page[-1].cursor
        return composed.finish()

    async def _put(self, file: ArchiveFile, content: bytes) -> None:
        company_id = model.company_of(file.archive)
        with context.scope(company_id=company_id):
            await self._objects.put(company_id, content, retain_until=file.retain_until, replace=True)
            await self._objects.verify(ObjectRef(file.object_name, file.object_size_bytes, file.object_digest))

    async def _done(self, file: ArchiveFile, whole: bool) -> None:
        await self._files.forget_damage(file.object_digest)
        if whole:
            async with self._database.as_company(model.company_of(file.archive)):
                await self._outbox.add(ObjectRestored(object_digest=file.object_digest, source=SOURCE))
