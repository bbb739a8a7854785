"""The care of stored objects: each is looked at once in every sweep; its retention is known; damage is told."""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from ecosystem.contracts.objects import BACKUP, ObjectDamageFound, ObjectRestored
from ecosystem.kernel import context
from ecosystem.kernel.audit.audit import Audit
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.messaging.outbox import Outbox
from ecosystem.kernel.objects.errors import ObjectDamaged, ObjectNotFound
from ecosystem.kernel.objects.objects import ObjectRef, Objects
from ecosystem.services.objects.adapters import Folder
from ecosystem.services.objects.model import Finding, Round, Storage, Sweep, warnings
from ecosystem.services.objects.repository import CareRepository
from ecosystem.services.objects.settings import ServiceSettings


@dataclass(frozen=True)
class Overview:
    """`last` is the newest sweep that has ended, `present` the one that runs."""

    storage: Storage
    last: Sweep | None
    present: Sweep | None
    findings: int
    retention_days: int
    warnings: list[str]


class CareService:
    def __init__(
        self, database: Database, care: CareRepository, objects: Objects, folder: Folder, outbox: Outbox, audit: Audit,
        clock: Clock, settings: ServiceSettings,
    ) -> None:  # fmt: skip
        self._db, self._care, self._objects, self._folder = database, care, objects, folder
        self._outbox, self._audit, self._clock, self._settings = outbox, audit, clock, settings

    async def overview(self) -> Overview:
        async def work() -> tuple[Sweep | None, Sweep | None, int]:
            latest = await self._care.latest()
            present = latest if latest and latest.finished_at is None else None
            return await self._care.latest(whole=True), present, await self._care.findings_count()

        storage = await self._folder.look()
        last, present, findings = await self._db.read(work)
        days = self._objects.settings.retention_days
        return Overview(storage, last, present, findings, days, warnings(storage, findings))

    async def findings(self, after: str, limit: int) -> list[Finding]:
        return await self._db.read(lambda: self._care.findings(after, limit))

    async def check_some(self) -> Round | None:
        """One round of the present sweep, or of a new one when it is due; None where nothing is due.

        The round that ends a sweep removes what killed writers left.

        Reads without a unit of work, then keeps what it saw and tells of new damage in one. A round that is broken
        off is done again.

        Raises:
            StorageUnavailable, DatabaseUnavailable: nothing was kept.
        """
        sweep = await self._db.run(self._present)
        if sweep is None:
            return None
        seen, read_bytes, ended = Round(sweep), 0, True
        async for name in self._objects.list(after=sweep.position or None):
            if seen.sweep.objects - sweep.objects >= self._settings.check_objects_max or (
                read_bytes > self._settings.check_bytes_max
            ):
                ended = False
                break
            read_bytes += await self._look(name, seen)
        if ended:
            seen.sweep = replace(seen.sweep, finished_at=self._clock.now())
        await self._db.run(lambda: self._keep(seen))
        if ended:
            await self._objects.remove_unfinished()
        if self._settings.delete_expired:
            for name in seen.expired:
                await self._delete(name)
        return seen

    async def _present(self) -> Sweep | None:
        latest, now = await self._care.latest(), self._clock.now()
        if latest is None or latest.due(now, timedelta(hours=self._settings.sweep_every_hours)):
            return await self._care.begin(now)
        return latest if latest.finished_at is None else None

    async def _look(self, name: str, seen: Round) -> int:
        """The bytes read; what was seen is added to the round."""
        today = self._clock.now().date()
        try:
            found = await self._objects.inspect(name)
            await self._objects.check(name)
        except (ObjectDamaged, ObjectNotFound) as error:
            if isinstance(error, ObjectDamaged):
                seen.saw(name, 0, None, today, error.code)
            return 0
        seen.saw(name, found.stored_bytes, found.retain_until, today, None)
        return found.stored_bytes

    async def _keep(self, seen: Round) -> None:
        now = self._clock.now()
        await self._care.keep(seen.sweep)
        for name in await self._care.remove_findings(seen.sound):
            async with self._db.as_company(_company_of(name)):
                await self._outbox.add(ObjectRestored(object_digest=_digest_of(name), source=BACKUP))
        for name in await self._care.add_findings(seen.damaged, now):
            async with self._db.as_company(_company_of(name)):
                await self._outbox.add(ObjectDamageFound(object_digest=_digest_of(name), code=seen.damaged[name]))

    async def restored(self, company_id: UUID | None, object_digest: str) -> None:
        """Its owner put it again, and read it: it is no finding any more. Belongs inside of a unit of work."""
        await self._care.remove_findings([f"{company_id}/{object_digest}"])

    async def _delete(self, name: str) -> None:
        """Told first: a deletion that nobody knows of is worse than one that is told twice."""

        async def tell() -> None:
            await self._audit.record("object_deleted", name, before={"name": name}, after=None)

        with context.scope(company_id=_company_of(name)):
            await self._db.run(tell)
            await self._objects.delete(ObjectRef(name, 0, _digest_of(name)))


def _company_of(name: str) -> UUID:
    return UUID(name.partition("/")[0])


def _digest_of(name: str) -> str:
    return name.partition("/")[2]
