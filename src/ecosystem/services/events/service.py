"""Events-service archives the log, publishes for workflows, and lets people look, replay and redeliver."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError

from ecosystem.kernel import context
from ecosystem.kernel.audit.audit import Audit
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.errors import EcosystemError, Unavailable
from ecosystem.kernel.ids import Ids
from ecosystem.kernel.messaging.errors import AlreadyRedelivered
from ecosystem.kernel.messaging.event import Envelope, Event
from ecosystem.kernel.messaging.log import EventLog, Logged, Replay
from ecosystem.kernel.messaging.outbox import CHANNEL, Outbox
from ecosystem.kernel.objects.objects import ObjectRef, Objects
from ecosystem.kernel.telemetry.log import log
from ecosystem.services.events import model
from ecosystem.services.events.errors import (
    ArchiveBroken,
    CompanyStreamsFull,
    EventDataRefused,
    EventTypeUnknown,
    EventUnknown,
    ReplayStartMissing,
    StreamsFull,
)
from ecosystem.services.events.model import ArchiveFile, Place, Waiting
from ecosystem.services.events.repository import ArchiveRepository
from ecosystem.services.events.settings import ServiceSettings

_LOOK_AGAIN_SECONDS = 0.5
# Half of a process's connections: the others are for whoever asks once.
_LOOKS_AT_ONCE_MAX = 2
_STREAMS_FULL_SECONDS = 5.0
_STREAM_PAGE, _FILE_PAGE = 100, 500
REDELIVERED_MAX = 200


@dataclass(frozen=True)
class Publishing:
    """What a workflow wants to have published, proved to be a fact that a contract names."""

    event: Event
    source: str


class PublishingService:
    def __init__(self, outbox: Outbox, kinds: Mapping[str, type[Event]]) -> None:
        self._outbox, self._kinds = outbox, kinds

    def check(self, event_type: str, data: Mapping[str, Any], source: str) -> Publishing:
        """Raises EventTypeUnknown, and EventDataRefused naming the field and the rule, never the value."""
        kind = self._kinds.get(event_type)
        if kind is None:
            raise EventTypeUnknown(f"There is no event type {event_type!r}."[:200])
        try:
            return Publishing(kind.model_validate_json(orjson.dumps(dict(data))), source)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False, include_context=False)
            told = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'data'}: {one['msg']}" for one in problems[:5])
            raise EventDataRefused(f"{event_type}: {told}") from None

    async def publish(self, publishing: Publishing) -> UUID:
        """Append it in the open unit of work."""
        return await self._outbox.add_as(publishing.event, publishing.source)


class ArchiveService:
    """Every event once, in files of one company and day, encrypted, kept for years, chained by their digests."""

    def __init__(
        self, database: Database, files: ArchiveRepository, objects: Objects, clock: Clock, ids: Ids,
        settings: ServiceSettings,
    ) -> None:  # fmt: skip
        self._database, self._files, self._objects = database, files, objects
        self._clock, self._ids, self._settings = clock, ids, settings

    async def note(self, envelopes: Sequence[Envelope]) -> None:
        """Put events of any companies on the list, in the unit of work of the consumer."""
        await self._files.note(
            [
                # About what the attributes around the data take.
                (model.archive_of(envelope.company_id), envelope, len(orjson.dumps(envelope.data)) + 400)
                for envelope in envelopes
            ]
        )

    async def archive_due(self) -> None:
        """Write files for all that is due. A kill in the middle leaves at most an object that nobody names.

        An archive that cannot be written is told, and passed over until the next call: the others are not to wait.

        Raises:
            Unavailable: of the storage or the database, which all archives need.
            EcosystemError: what the first archive failed with that could not be written; all others are.
        """
        failed: dict[str, EcosystemError] = {}
        for waiting in await self._database.read(self._files.waiting):
            if waiting.archive in failed:
                continue
            try:
                await self._write_due(waiting)
            except Unavailable:
                raise
            except EcosystemError as error:
                failed[waiting.archive] = error
                log.error("an archive cannot be written", archive=waiting.archive, code=error.code)
        if failed:
            raise next(iter(failed.values()))

    async def _write_due(self, waiting: Waiting) -> None:
        limits, today, left = self._settings, self._clock.now().date(), waiting
        while left.events and model.is_due(
            left, today, events_max=limits.file_events_max, bytes_max=limits.file_bytes_max
        ):
            file = await self._write(left)
            if file is None:
                return
            left = Waiting(left.archive, left.day, left.events - file.events, left.size_bytes - file.size_bytes)

    async def _write(self, waiting: Waiting) -> ArchiveFile | None:
        limits, company_id = self._settings, model.company_of(waiting.archive)
        with context.scope(company_id=company_id):
            places = model.fitting(
                await self._database.read(
                    lambda: self._files.places(waiting.archive, waiting.day, limits.file_events_max)
                ),
                events_max=limits.file_events_max, bytes_max=limits.file_bytes_max,
            )  # fmt: skip
            if not places:
                return None
            composed = await self._composed(places)
            content = composed.finish()
            retain_until = self._objects.retain_until(limits.retention_days)
            # Named by its content: writing it a second time after a kill makes the same object.
            ref = await self._objects.put(company_id, content, retain_until=retain_until)
            return await self._database.run(lambda: self._enter(waiting, places, composed, ref, model.sha256(content)))

    async def _composed(self, places: list[Place]) -> model.Composition:
        """Page by page: all events of a file at once would cost the process more memory than everything else."""
        composed = model.Composition()
        for start in range(0, len(places), _FILE_PAGE):
            page = places[start : start + _FILE_PAGE]
            events = await self._database.read(partial(self._files.events, page))
            await asyncio.to_thread(composed.add, events)
        return composed

    async def _enter(
        self, waiting: Waiting, places: list[Place], composed: model.Composition, ref: ObjectRef, digest: str
    ) -> ArchiveFile | None:
        previous = await self._files.last_of(waiting.archive)
        if await self._files.take(waiting.archive, waiting.day, places) != len(places) or composed.events != len(
            places
        ):
            raise ArchiveBroken("What waits for the archive changed under its writer.")
        file = ArchiveFile(
            file_id=self._ids.uuid(), archive=waiting.archive, day=waiting.day,
            number=await self._files.next_number(waiting.archive, waiting.day), object_name=ref.name,
            object_size_bytes=ref.size_bytes, object_digest=ref.digest, events=len(places),
            size_bytes=sum(place.size_bytes for place in places), content_sha256=digest,
            first_position=composed.first_position, last_position=composed.last_position,
            previous_sha256=previous.content_sha256 if previous else None,
            retain_until=self._objects.retain_until(self._settings.retention_days), made_at=self._clock.now(),
        )  # fmt: skip
        await self._files.add(file)
        return file

    async def files(self, company_id: UUID | None, before: UUID | None, limit: int) -> list[ArchiveFile]:
        archive = model.archive_of(company_id)
        return await self._database.read(lambda: self._files.files(archive, before, limit))

    async def content(self, file: ArchiveFile) -> bytes:
        """The file as it was written. Raises ArchiveBroken where it is not what the manifest says."""
        with context.scope(company_id=model.company_of(file.archive)):
            ref = ObjectRef(file.object_name, file.object_size_bytes, file.object_digest)
            content = b"".join([piece async for piece in self._objects.open(ref)])
        if model.sha256(content) != file.content_sha256:
            raise ArchiveBroken
        return content


class Streams:
    """Which event streams are open in this process, so that there is room for those of the other companies."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings, self._open = settings, Counter[UUID | None]()

    @contextmanager
    def one(self, company_id: UUID | None) -> Iterator[None]:
        """One more, as long as it is open. Raises CompanyStreamsFull, StreamsFull."""
        settings = self._settings
        if self._open[company_id] >= settings.company_streams_max:
            raise CompanyStreamsFull(
                company_streams_max=settings.company_streams_max, retry_after_seconds=_STREAMS_FULL_SECONDS
            )
        if self._open.total() >= settings.streams_max:
            raise StreamsFull(retry_after_seconds=_STREAMS_FULL_SECONDS)
        self._open[company_id] += 1
        try:
            yield
        finally:
            self._open[company_id] -= 1
            if not self._open[company_id]:
                del self._open[company_id]


class EventsService:
    """What people ask about the log, and have delivered again: that stands in the audit trail."""

    def __init__(
        self, database: Database, log: EventLog, audit: Audit, clock: Clock, settings: ServiceSettings
    ) -> None:  # fmt: skip
        self._database, self.log, self._audit = database, log, audit
        self._clock, self._settings = clock, settings
        self.streams = Streams(settings)
        self._looking = asyncio.Semaphore(_LOOKS_AT_ONCE_MAX)

    async def event(self, event_id: UUID) -> Logged:
        """Raises EventUnknown, also for the event of another company."""
        found = await self.log.event(event_id)
        if found is None:
            raise EventUnknown
        return found

    async def follow(
        self, company_id: UUID | None, position: str, *, type_: str | None, subject: str | None
    ) -> AsyncIterator[Logged | None]:
        """A company's events behind `position` as they come; None now and then, as a sign of life."""
        wake = self._database.wakeups.subscribe(CHANNEL, key=type_ or "")
        end = self._clock.monotonic() + self._settings.stream_seconds_max
        try:
            while self._clock.monotonic() < end:
                wake.clear()
                # A stream has a limit of its own: the deadline of an ordinary request would cut it off. Entered for
                # each reading, because a generator may be moved on by another task each time.
                async with self._looking:
                    with context.scope(company_id=company_id, deadline=None):
                        found, position = await self.log.following(
                            position, type_=type_, subject=subject, limit=_STREAM_PAGE
                        )
                for one in found:
                    yield one
                if len(found) < _STREAM_PAGE:
                    yield None
                    await self._either(wake, _LOOK_AGAIN_SECONDS)
        finally:
            self._database.wakeups.unsubscribe(CHANNEL, wake, key=type_ or "")

    @staticmethod
    async def _either(wake: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await wake.wait()
        except TimeoutError:
            return

    async def redeliver(self, dead_letter_id: UUID, *, everywhere: bool) -> None:
        """Hand an event to its consumer again, once. Raises DeadLetterUnknown, AlreadyRedelivered."""

        async def work() -> None:
            await self.log.redeliver(dead_letter_id, everywhere=everywhere)
            await self._audit.record("dead_letter_redelivered", str(dead_letter_id), before=None, after=None)

        await self._database.run(work)

    async def redeliver_all(
        self, consumer: str, code: str | None, *, everywhere: bool, dry_run: bool
    ) -> tuple[list[UUID], bool]:
        """Hand a consumer its dead letters again, the oldest of a page first; (their ids, whether there are more).

        One that is handed over by somebody else meanwhile is passed over.
        """
        found = await self.log.dead_letters(
            everywhere=everywhere, consumer=consumer, code=code, limit=REDELIVERED_MAX + 1
        )
        letters = found[:REDELIVERED_MAX]
        for letter in [] if dry_run else reversed(letters):
            with suppress(AlreadyRedelivered):
                await self.redeliver(letter.dead_letter_id, everywhere=everywhere)
        return [letter.dead_letter_id for letter in letters], len(found) > REDELIVERED_MAX

    async def replay(
        self, consumer: str, from_position: str | None, from_time: datetime | None, *, dry_run: bool
    ) -> Replay:
        """Raises ReplayStartMissing, ConsumerUnknown, PositionRefused."""
        if (from_position is None) == (from_time is None):
            raise ReplayStartMissing

        async def work() -> Replay:
            done = await self.log.replay(consumer, from_position=from_position, from_time=from_time, dry_run=dry_run)
            if not dry_run:
                start = {"from_position": from_position, "from_time": from_time.isoformat() if from_time else None}
                await self._audit.record("consumer_replayed", consumer, before=None, after=start)
            return done

        # A consumer is the platform's, whoever's token has it read again.
        with context.scope(company_id=None):
            return await self._database.run(work)
