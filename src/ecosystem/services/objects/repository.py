"""Sweeps and findings."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text

from ecosystem.kernel.db.database import Database
from ecosystem.services.objects.model import Finding, Sweep

_COLUMNS = "started_at, sweep_id, finished_at, position, objects, stored_bytes, damaged, expired, next_expiry"
_LATEST = text(f"select {_COLUMNS} from sweeps order by sweep_id desc limit 1")  # noqa: S608 our own columns
_LAST_WHOLE = text(
    f"select {_COLUMNS} from sweeps where finished_at is not null order by sweep_id desc limit 1"  # noqa: S608
)
_BEGIN = text("insert into sweeps (started_at) values (:started_at) returning sweep_id")
_KEEP = text(
    "update sweeps set finished_at = :finished_at, position = :position, objects = :objects,"
    " stored_bytes = :stored_bytes, damaged = :damaged, expired = :expired, next_expiry = :next_expiry"
    " where sweep_id = :sweep_id"
)
_FORGET = text("delete from sweeps where sweep_id < :sweep_id - 100")
_FOUND = text(
    "insert into findings (name, code, found_at)"
    " select name, code, :found_at from unnest(cast(:names as text[]), cast(:codes as text[])) as f (name, code)"
    " on conflict (name) do nothing returning name"
)
_MENDED = text("delete from findings where name = any(:names) returning name")
_FINDINGS = text("select name, code, found_at from findings where name > :after order by name limit :limit")


class CareRepository:
    """Each method belongs inside of `database.run` or `database.read`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def latest(self, *, whole: bool = False) -> Sweep | None:
        """The newest sweep; with `whole` the newest that has ended."""
        row = (await self._db.session.execute(_LAST_WHOLE if whole else _LATEST)).one_or_none()
        return Sweep(*row) if row else None

    async def begin(self, started_at: datetime) -> Sweep:
        sweep_id = (await self._db.session.execute(_BEGIN, {"started_at": started_at})).scalar_one()
        await self._db.session.execute(_FORGET, {"sweep_id": sweep_id})
        return Sweep(started_at, sweep_id)

    async def keep(self, sweep: Sweep) -> None:
        values = {name: getattr(sweep, name) for name in (
            "finished_at", "position", "objects", "stored_bytes", "damaged", "expired", "next_expiry", "sweep_id",
        )}  # fmt: skip
        await self._db.session.execute(_KEEP, values)

    async def add_findings(self, damaged: Mapping[str, str], found_at: datetime) -> list[str]:
        """The names that were not known as damaged before."""
        values = {"names": list(damaged), "codes": list(damaged.values()), "found_at": found_at}
        return list((await self._db.session.execute(_FOUND, values)).scalars())

    async def remove_findings(self, names: Sequence[str]) -> list[str]:
        """The names that were known as damaged until now."""
        return list((await self._db.session.execute(_MENDED, {"names": list(names)})).scalars())

    async def findings(self, after: str, limit: int) -> list[Finding]:
        found = await self._db.session.execute(_FINDINGS, {"after": after, "limit": limit})
        return [Finding(*row) for row in found]

    async def findings_count(self) -> int:
        return int((await self._db.session.execute(text("select count(*) from findings"))).scalar_one())
