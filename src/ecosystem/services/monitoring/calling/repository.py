"""All SQL of rotas and pages. Every method runs inside `database.run` or `read`, behind the fence of `company_id`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from ecosystem.kernel.db.raw import driver
from ecosystem.services.monitoring.calling.model import Override, Page, Rota, levels_as_json, levels_of_json
from ecosystem.services.monitoring.notifying.statements import Statements

_ROTA = "select version, time_zone, rounds, levels from rotas where company_id = %(company_id)s"
_SET_ROTA = """
insert into rotas (company_id, version, time_zone, rounds, levels, set_by, set_at)
values (%(company_id)s, 1, %(time_zone)s, %(rounds)s, %(levels)s::text::jsonb, %(set_by)s, %(set_at)s)
on conflict (company_id) do update set version = rotas.version + 1, time_zone = excluded.time_zone,
  rounds = excluded.rounds, levels = excluded.levels, set_by = excluded.set_by, set_at = excluded.set_at
returning version
"""
_PEOPLE = """
select person_id, key_index, sealed, time_zone, quiet, channels
  from people where company_id = %(company_id)s and removed_at is null
"""
_PUT_PERSON = """
insert into people (company_id, person_id, key_index, sealed, time_zone, quiet, channels)
values (%(company_id)s, %(person_id)s, %(key_index)s, %(sealed)s, %(time_zone)s, %(quiet)s, %(channels)s)
on conflict (company_id, person_id) do update set sealed = excluded.sealed, time_zone = excluded.time_zone,
  quiet = excluded.quiet, channels = excluded.channels
"""
_REMOVE_PEOPLE = """
update people set removed_at = %(now)s, sealed = '', channels = '{}'
 where company_id = %(company_id)s and person_id = any(%(ids)s)
"""
_END_OVERRIDES = """
update overrides set removed_at = %(now)s
 where company_id = %(company_id)s and removed_at is null and (person_id = any(%(ids)s) or level >= %(levels)s)
"""
_OVERRIDES = """
select override_id, level, person_id, from_at, to_at, set_at
  from overrides where company_id = %(company_id)s and removed_at is null and to_at > %(now)s order by from_at
"""
_ADD_OVERRIDE = """
insert into overrides (company_id, override_id, level, person_id, from_at, to_at, set_by, set_at)
values (%(company_id)s, %(override_id)s, %(level)s, %(person_id)s, %(from_at)s, %(to_at)s, %(set_by)s, %(set_at)s)
"""
_PAGE = """
select page_id, incident_id, dedup_key, priority, title, summary, runbook, state, level, round, climbs_at, requested_at,
       ended_at, ended_by
  from pages where company_id = %(company_id)s
"""
_ADD_PAGE = """
insert into pages (company_id, page_id, incident_id, dedup_key, priority, title, summary, runbook, state, level, round,
                   climbs_at, requested_at, requested_by)
values (%(company_id)s, %(page_id)s, %(incident_id)s, %(dedup_key)s, %(priority)s, %(title)s, %(summary)s, %(runbook)s,
        'open', 0, 0, %(now)s, %(now)s, %(requested_by)s)
on conflict (company_id, dedup_key) where state = 'open' do nothing
"""
_CALLED = """
update pages set level = %(level)s, round = %(round)s, climbs_at = %(climbs_at)s, called_at = %(at)s
 where company_id = %(company_id)s and page_id = %(page_id)s
"""
_POSTPONED = """
update pages set climbs_at = %(climbs_at)s where company_id = %(company_id)s and page_id = %(page_id)s
"""
_ADD_CALL = """
insert into page_calls (company_id, page_id, at, level, round, person_id, notifications)
values (%(company_id)s, %(page_id)s, %(at)s, %(level)s, %(round)s, %(person_id)s, %(notifications)s)
"""
_CALLS = """
select at, level, round, person_id, notifications from page_calls
 where company_id = %(company_id)s and page_id = %(page_id)s order by number
"""
_END = """
update pages set state = %(state)s, ended_at = %(now)s, ended_by = %(by)s
 where company_id = %(company_id)s and page_id = %(page_id)s and state in ('open', 'unanswered')
"""
_LISTED = f"""{_PAGE}
  and (%(open)s = false or state = 'open')
  and (%(before)s::timestamptz is null or (requested_at, page_id) < (%(before)s, %(before_id)s))
 order by requested_at desc, page_id desc limit %(limit)s
"""


@dataclass(frozen=True)
class PersonRow:
    person_id: UUID
    key_index: bytes
    sealed: bytes
    time_zone: str
    quiet: str | None
    channels: list[UUID]


@dataclass(frozen=True)
class Call:
    """Who was told of a page, and by which messages. `person_id` is None where there was no rota."""

    at: datetime
    level: int
    round: int
    person_id: UUID | None
    notifications: list[UUID]


class Rotas(Statements):
    async def rota(self, company_id: UUID) -> Rota | None:
        row = await (await driver(self._database)).execute(_ROTA.encode(), {"company_id": company_id})
        found = await row.fetchone()
        return None if found is None else Rota(found[0], found[1], found[2], levels_of_json(found[3]))

    async def set_rota(self, company_id: UUID, rota: Rota, by: str, now: datetime) -> int:
        """Its new version."""
        values = {
            "company_id": company_id, "time_zone": rota.time_zone, "rounds": rota.rounds, "set_by": by, "set_at": now,
            "levels": orjson.dumps(levels_as_json(rota.levels)).decode(),
        }  # fmt: skip
        row = await (await (await driver(self._database)).execute(_SET_ROTA.encode(), values)).fetchone()
        assert row is not None
        return int(row[0])

    async def people(self, company_id: UUID) -> list[PersonRow]:
        return await self._rows(PersonRow, _PEOPLE, company_id)

    async def put_person(self, company_id: UUID, person: PersonRow) -> None:
        await self._execute(_PUT_PERSON, company_id, **vars(person))

    async def remove_people(self, company_id: UUID, ids: Iterable[UUID], levels: int, now: datetime) -> None:
        """With the overrides that name them, or a level that there is no more."""
        values = {"ids": list(ids), "levels": levels, "now": now}
        await self._execute(_REMOVE_PEOPLE, company_id, **values)
        await self._execute(_END_OVERRIDES, company_id, **values)

    async def overrides(self, company_id: UUID, now: datetime) -> list[Override]:
        """Those that stand or are to come."""
        return await self._rows(Override, _OVERRIDES, company_id, now=now)

    async def add_override(self, company_id: UUID, override: Override, by: str) -> None:
        await self._execute(_ADD_OVERRIDE, company_id, **vars(override), set_by=by)

    async def page(self, company_id: UUID, page_id: UUID, *, lock: bool = False) -> Page | None:
        found = await self._rows(
            Page, f"{_PAGE} and page_id = %(id)s{' for update' if lock else ''}", company_id, id=page_id
        )
        return found[0] if found else None

    async def open_pages(self, company_id: UUID, incident_id: UUID) -> list[Page]:
        """Of an incident, locked."""
        statement = f"{_PAGE} and incident_id = %(incident_id)s and state = 'open' order by page_id for update"
        return await self._rows(Page, statement, company_id, incident_id=incident_id)

    async def due_page(self, company_id: UUID, now: datetime) -> Page | None:
        """One that is to climb, locked; others that somebody works on are passed over."""
        # Called in the future: the clock has gone back since, and the time to answer would not end for as long.
        statement = f"""{_PAGE} and state = 'open'
                        and (climbs_at <= %(now)s or called_at > %(now)s + interval '1 minute')
                        order by climbs_at limit 1 for update skip locked"""
        found = await self._rows(Page, statement, company_id, now=now)
        return found[0] if found else None

    async def companies_due(self, now: datetime) -> list[UUID]:
        """Whose pages are to climb, past the fence: ids only."""
        rows = await (await driver(self._database)).execute("select companies_with_due_pages(%s)", (now,))
        return [row[0] for row in await rows.fetchall()]

    async def add_page(self, company_id: UUID, page: Page, by: str | None) -> bool:
        """False where a page of its key is open already."""
        values = {name: value for name, value in vars(page).items() if name not in ("climbs_at", "requested_at")}
        return await self._execute(_ADD_PAGE, company_id, **values, now=page.requested_at, requested_by=by) == 1

    async def open_page_of(self, company_id: UUID, dedup_key: UUID) -> Page | None:
        statement = f"{_PAGE} and dedup_key = %(dedup_key)s and state = 'open'"
        found = await self._rows(Page, statement, company_id, dedup_key=dedup_key)
        return found[0] if found else None

    async def called(self, company_id: UUID, page_id: UUID, call: Call, climbs_at: datetime) -> None:
        values = vars(call) | {"page_id": page_id, "climbs_at": climbs_at}
        await self._execute(_ADD_CALL, company_id, **values)
        await self._execute(_CALLED, company_id, **values)

    async def postpone(self, company_id: UUID, page_id: UUID, climbs_at: datetime) -> None:
        await self._execute(_POSTPONED, company_id, page_id=page_id, climbs_at=climbs_at)

    async def calls(self, company_id: UUID, page_id: UUID) -> list[Call]:
        return await self._rows(Call, _CALLS, company_id, page_id=page_id)

    async def end_page(self, company_id: UUID, page_id: UUID, state: str, by: str | None, now: datetime) -> bool:
        """False where it is over already."""
        return await self._execute(_END, company_id, page_id=page_id, state=state, by=by, now=now) == 1

    async def pages(self, company_id: UUID, **filters: Any) -> list[Page]:
        """Newest first. `open`, `before`, `before_id`, `limit`."""
        return await self._rows(Page, _LISTED, company_id, **filters)
