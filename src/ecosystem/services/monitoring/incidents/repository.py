"""All SQL of incidents. Every method runs inside `database.run` or `read`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ecosystem.contracts.monitoring import IncidentState, Priority
from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver
from ecosystem.services.monitoring.incidents.model import (
    MANY,
    TIMELINE_MAX,
    Episode,
    Incident,
    Line,
    What,
    same_again,
    same_trouble,
)

_COLUMNS = (
    "incident_id", "state", "priority", "fault", "component", "cause", "runbook", "episode_id", "faults", "episodes",
    "instances", "companies", "trace_ids", "began_at", "opened_at", "faulty_since", "seen_at", "respond_by",
    "help_needed", "paged_at", "acknowledged_at", "acknowledged_by", "closed_at", "closed_by", "closed_reason",
    "caused_by",
)  # fmt: skip
_SELECT = f"select number, {', '.join(_COLUMNS)} from incidents"  # noqa: S608 columns of this module
_INSERT = (
    f"insert into incidents ({', '.join(_COLUMNS)})"  # noqa: S608
    f" values ({', '.join(f'%({name})s' for name in _COLUMNS)}) returning number"
)
_UPDATE = (
    f"update incidents set {', '.join(f'{name} = %({name})s' for name in _COLUMNS[1:])}"  # noqa: S608
    " where incident_id = %(incident_id)s"
)
_OF_FAULT = f"""
{_SELECT} where component = %(component)s and ((state <> 'closed' and fault = any(%(same)s))
  or (state = 'closed' and fault = any(%(again)s) and closed_at >= %(since)s))
 order by state = 'closed', fault <> %(fault)s, closed_at desc nulls first limit 1
"""
# What is asked for by a company is seen through its own rows of `affected`: the fence stands there.
_SEEN = "(%(everything)s or incident_id in (select a.incident_id from affected a))"
_PAGE = f"""
{_SELECT} where {_SEEN} and (%(state)s::text is null or state = %(state)s)
  and (%(unfinished)s is false or state <> 'closed') and (%(priority)s::text is null or priority = %(priority)s)
  and (%(before)s::bigint is null or number < %(before)s) order by number desc limit %(limit)s
"""
_OPEN = """
select priority, component, coalesce((select min(e.began_at) from episodes e
  where e.incident_id = i.incident_id and e.cleared_at is null), faulty_since) as began_at
  from incidents i where state <> 'closed'
"""
_RECENT = f"{_SELECT} where (state <> 'closed' or closed_at >= %s) and fault = any(%s)"
_CAUSED = f"{_SELECT} where caused_by = %s and state <> 'closed' order by number"
_DUE = f"""
{_SELECT} where state = 'open' and not exists (
    select from incidents c where c.number = incidents.caused_by and c.state <> 'closed') and (respond_by <= %(now)s
  or faulty_since > %(now)s + interval '1 minute'
  or (paged_at is null and (help_needed or (priority in ('P1', 'P2') and faulty_since <= %(page_before)s))))
 order by number limit 100
"""
_LINE = """
insert into timeline (incident_id, number, at, what, by, said, detail)
select %(incident_id)s, coalesce(max(number), 0) + 1, %(at)s, %(what)s, %(by)s, %(said)s, %(detail)s::jsonb
  from timeline where incident_id = %(incident_id)s
having coalesce(max(number), 0) < %(max)s
"""


class Incidents:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def lock(self) -> None:
        """From here to the end of the unit of work nobody else changes an incident; see ADR 189."""
        await self._execute("select pg_advisory_xact_lock(hashtext('eco.incidents'), 0)")

    async def add(self, incident: Incident) -> int:
        """The number that it got."""
        rows = await self._rows(_INSERT, _values(incident))
        return int(rows[0]["number"])

    async def keep(self, incident: Incident) -> None:
        await self._execute(_UPDATE, _values(incident))

    async def find(self, incident_id: UUID) -> Incident | None:
        return _first(await self._rows(f"{_SELECT} where incident_id = %s", (incident_id,)))

    async def seen(self, incident: UUID | int, *, everything: bool) -> Incident | None:
        """By id or number, if it may be seen: all of them, or those that affect the company of the context."""
        column = "number" if isinstance(incident, int) else "incident_id"
        return _first(
            await self._rows(f"{_SELECT} where {column} = %(it)s and {_SEEN}",
                             {"it": incident, "everything": everything})
        )  # fmt: skip

    async def of_fault(self, component: str, fault: FaultKind, since: datetime) -> Incident | None:
        """The one of the same trouble that is open, or the last one that was closed at or after `since`."""
        about = {
            "component": component, "fault": fault.value, "same": list(same_trouble(fault)),
            "again": list(same_again(fault)), "since": since,
        }  # fmt: skip
        return _first(await self._rows(_OF_FAULT, about))

    async def recent(self, faults: Sequence[str], since: datetime) -> list[Incident]:
        """Those of these faults that are open, or were until `since`."""
        return [_incident(row) for row in await self._rows(_RECENT, (since, list(faults)))]

    async def caused_by(self, number: int) -> list[Incident]:
        """Those that are not over and whose cause is the incident of this number."""
        return [_incident(row) for row in await self._rows(_CAUSED, (number,))]

    async def page(
        self, *, everything: bool, state: IncidentState | None, priority: Priority | None, unfinished: bool,
        before: int | None, limit: int,
    ) -> list[Incident]:  # fmt: skip
        """Newest first, before number `before`."""
        about = {
            "everything": everything, "state": state.value if state else None, "unfinished": unfinished,
            "priority": priority.value if priority else None, "before": before, "limit": limit,
        }  # fmt: skip
        return [_incident(row) for row in await self._rows(_PAGE, about)]

    async def due(self, now: datetime, page_before: datetime) -> list[Incident]:
        """Those whose page or answer may be due, oldest first."""
        return [_incident(row) for row in await self._rows(_DUE, {"now": now, "page_before": page_before})]

    async def open_by_priority(self) -> list[tuple[str, str, datetime]]:
        """(priority, component, beginning of the present trouble) of each incident that is not closed."""
        rows = await self._rows(_OPEN)
        return [(row["priority"], row["component"], row["began_at"]) for row in rows]

    async def episode(self, episode_id: UUID) -> Episode | None:
        rows = await self._rows("select * from episodes where episode_id = %s", (episode_id,))
        return Episode(**rows[0]) if rows else None

    async def keep_episode(self, episode: Episode) -> None:
        await self._execute(
            "insert into episodes (episode_id, incident_id, began_at, cleared_at, by_itself, repair_seconds, paged_at)"
            " values (%(episode_id)s, %(incident_id)s, %(began_at)s, %(cleared_at)s, %(by_itself)s,"
            " %(repair_seconds)s, %(paged_at)s) on conflict (episode_id) do update set"
            " cleared_at = excluded.cleared_at, by_itself = excluded.by_itself,"
            " repair_seconds = excluded.repair_seconds, paged_at = excluded.paged_at",
            vars(episode),
        )

    async def episodes(
        self, incident_id: UUID, *, only_open: bool = False, before: tuple[datetime, UUID] | None = None,
        limit: int = 200,
    ) -> list[Episode]:  # fmt: skip
        """Newest first, before the one that began then and has this id."""
        at, id_ = before or (None, None)
        rows = await self._rows(
            "select * from episodes where incident_id = %s and (cleared_at is null or not %s)"
            " and (%s::timestamptz is null or (began_at, episode_id) < (%s, %s::uuid))"
            " order by began_at desc, episode_id desc limit %s", (incident_id, only_open, at, at, id_, limit),
        )  # fmt: skip
        return [Episode(**row) for row in rows]

    async def mark_paged(self, incident_id: UUID, now: datetime) -> None:
        await self._execute(
            "update episodes set paged_at = %s where incident_id = %s and cleared_at is null and paged_at is null",
            (now, incident_id),
        )

    async def end_episodes(self, incident_id: UUID, now: datetime) -> None:
        await self._execute(
            "update episodes set cleared_at = %s, by_itself = false where incident_id = %s and cleared_at is null",
            (now, incident_id),
        )

    async def tell(self, incident_id: UUID, line: Line) -> None:
        """Add a line to the timeline; of what can come without end only while the timeline is short."""
        most = TIMELINE_MAX if line.what in MANY else 2**31 - 2
        await self._execute(
            _LINE,
            {
                "incident_id": incident_id, "at": line.at, "what": line.what.value, "by": line.by, "said": line.said,
                "detail": Jsonb(line.detail), "max": most,
            },
        )  # fmt: skip

    async def timeline(self, incident_id: UUID, after: tuple[datetime, int] | None, limit: int) -> list[Line]:
        """The lines behind the one of this time and number, by time, and by number within one moment."""
        at, number = after or (None, None)
        rows = await self._rows(
            "select at, what, said, by, detail, number from timeline where incident_id = %s"
            " and (%s::timestamptz is null or (at, number) > (%s, %s::bigint)) order by at, number limit %s",
            (incident_id, at, at, number, limit),
        )
        return [Line(**{**row, "what": What(row["what"])}) for row in rows]

    async def lines(self, incident_id: UUID) -> int:
        """How many lines its timeline has."""
        rows = await self._rows(
            "select coalesce(max(number), 0) as lines from timeline where incident_id = %s", (incident_id,)
        )
        return int(rows[0]["lines"])

    async def affect(self, incident_id: UUID, companies: Sequence[UUID]) -> None:
        """Let these companies see the incident."""
        for company_id in companies:
            async with self._database.as_company(company_id):
                await self._execute(
                    "insert into affected (company_id, incident_id) values (%s, %s) on conflict do nothing",
                    (company_id, incident_id),
                )

    async def written(self, incident_id: UUID) -> dict[str, Any] | None:
        """What a person has written into the post-mortem: `written`, `written_by`, `written_at`."""
        rows = await self._rows(
            "select written, written_by, written_at from postmortems where incident_id = %s", (incident_id,)
        )
        return rows[0] if rows else None

    async def write(
        self, incident_id: UUID, written: dict[str, Any], by: str, now: datetime, instead_of: datetime | None
    ) -> bool:
        """False where somebody has written since `instead_of` (None: at all)."""
        done = await (await driver(self._database)).execute(
            "insert into postmortems (incident_id, written, written_by, written_at) values (%s, %s, %s, %s)"
            " on conflict (incident_id) do update set written = excluded.written, written_by = excluded.written_by,"
            " written_at = excluded.written_at where postmortems.written_at = %s"
            # The same request once more.
            " or (postmortems.written, postmortems.written_by) = (excluded.written, excluded.written_by)",
            (incident_id, Jsonb(written), by, now, instead_of),
        )
        return done.rowcount == 1

    async def _execute(self, statement: str, values: Any = None) -> None:
        await (await driver(self._database)).execute(statement, values)

    async def _rows(self, statement: str, values: Any = None) -> list[dict[str, Any]]:
        connection = await driver(self._database)
        cursor = await connection.execute(statement, values, row_factory=dict_row)
        return await cursor.fetchall()


def _values(incident: Incident) -> dict[str, Any]:
    raw = {name: getattr(incident, name) for name in _COLUMNS}
    lists = {name: list(raw[name]) for name in ("instances", "companies", "trace_ids")}
    return {**raw, **lists, "state": incident.state.value, "priority": incident.priority.value}


def _incident(row: dict[str, Any]) -> Incident:
    lists = {name: tuple(row[name]) for name in ("instances", "companies", "trace_ids")}
    return Incident(**{**row, **lists, "state": IncidentState(row["state"]), "priority": Priority(row["priority"])})


def _first(rows: list[dict[str, Any]]) -> Incident | None:
    return _incident(rows[0]) if rows else None
