"""All SQL of channels and messages. Every method runs inside `database.run` or `read`, for the company of the fence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ecosystem.kernel.db.raw import driver
from ecosystem.services.monitoring.notifying.model import Channel, Notification, State
from ecosystem.services.monitoring.notifying.statements import Statements

_CHANNEL = """
select channel_id, name, service, sealed_url, person_id, time_zone, quiet, created_at
  from channels where company_id = %(company_id)s and removed_at is null
"""
_ADD_CHANNEL = """
insert into channels (company_id, channel_id, name, service, sealed_url, person_id, time_zone, quiet, created_at)
values (%(company_id)s, %(channel_id)s, %(name)s, %(service)s, %(sealed_url)s, %(person_id)s, %(time_zone)s, %(quiet)s,
        %(created_at)s)
on conflict (company_id, name) where removed_at is null do nothing
"""
# The row stays for the messages that went there; the address goes.
_REMOVE_CHANNELS = """
update channels set removed_at = %(now)s, sealed_url = ''
 where company_id = %(company_id)s and removed_at is null and channel_id = any(%(channel_ids)s)
"""
_FAIL_REMOVED = """
update notifications set state = 'failed', problem = 'channel_removed', ended_at = %(now)s, lease = null
 where company_id = %(company_id)s and state in ('waiting', 'sending') and channel_id = any(%(channel_ids)s)
"""
# An attempt at the former address counts no more. What waits for the end of quiet hours goes on waiting.
_MOVE = """
update notifications set channel_id = %(to_id)s, state = 'waiting', attempts = 0, problem = null, lease = null,
  due_at = case when urgent or attempts > 0 then %(now)s else due_at end
 where company_id = %(company_id)s and state in ('waiting', 'sending') and channel_id = any(%(from_ids)s)
"""
_LOCK_KEY = "select pg_advisory_xact_lock(hashtextextended(%s, 0))"
_REPEAT = """
update notifications set repeats = repeats + 1
 where company_id = %(company_id)s and channel_id = %(channel_id)s and notification_id = (
   select notification_id from notifications
    where company_id = %(company_id)s and channel_id = %(channel_id)s and dedup_key = %(dedup_key)s
      and created_at > %(since)s and created_at <= %(until)s and state <> 'failed'
    order by created_at desc limit 1)
returning notification_id
"""
_ADD = """
insert into notifications (company_id, notification_id, channel_id, template, dedup_key, urgent, sealed_text, state,
                           created_at, due_at)
values (%(company_id)s, %(notification_id)s, %(channel_id)s, %(template)s, %(dedup_key)s, %(urgent)s, %(sealed_text)s,
        'waiting', %(created_at)s, %(due_at)s)
"""
_SHOWN = """
select n.notification_id, n.channel_id, c.name as channel, n.template, n.urgent, n.state, n.attempts, n.repeats,
       n.problem, n.created_at, n.due_at, n.sent_at
  from notifications n join channels c on c.company_id = n.company_id and c.channel_id = n.channel_id
 where n.company_id = %(company_id)s
"""
_PAGE = f"""{_SHOWN}
  and (%(before)s::timestamptz is null or (n.created_at, n.notification_id) < (%(before)s, %(before_id)s))
  and (%(state)s::text is null or n.state = %(state)s)
 order by n.created_at desc, n.notification_id desc limit %(limit)s
"""
# What was made in the future by a clock that has gone back since waits for nothing.
# One of a channel at a time, and none of a channel that is being spoken to: a provider that does not answer holds up
# its own messages and nobody else's.
_CLAIM = """
with due as (
  select distinct on (channel_id) notification_id from notifications
   where company_id = %(company_id)s and state in ('waiting', 'sending')
     and (due_at <= %(now)s or (state = 'waiting' and created_at > %(now)s + interval '1 minute'))
     and channel_id not in (select channel_id from notifications
                             where company_id = %(company_id)s and state = 'sending' and due_at > %(now)s)
   order by channel_id, urgent desc, due_at
), taken as (
  select n.notification_id from notifications n join due using (notification_id)
   where n.company_id = %(company_id)s and n.state in ('waiting', 'sending')
     and (n.due_at <= %(now)s or (n.state = 'waiting' and n.created_at > %(now)s + interval '1 minute'))
   limit %(rows_max)s for update of n skip locked
)
update notifications n set state = 'sending', attempts = attempts + 1, lease = %(lease)s, due_at = %(until)s,
  created_at = least(n.created_at, %(now)s)
  from channels c
 where n.company_id = %(company_id)s and n.notification_id in (select notification_id from taken)
   and c.company_id = n.company_id and c.channel_id = n.channel_id
returning n.notification_id, n.channel_id, n.sealed_text, n.attempts, c.sealed_url, c.person_id, c.name as channel
"""
# Only who still holds the lease says how it ended.
_END = """
update notifications set state = %(state)s, problem = %(problem)s, due_at = %(due_at)s, lease = null,
  sent_at = case when %(state)s = 'sent' then %(now)s else sent_at end,
  ended_at = case when %(state)s in ('sent', 'failed') then %(now)s end
 where company_id = %(company_id)s and notification_id = %(notification_id)s and lease = %(lease)s
"""


@dataclass(frozen=True)
class Claimed:
    """One message that this process holds, with what it needs to send it."""

    notification_id: UUID
    channel_id: UUID
    sealed_text: bytes
    attempts: int
    sealed_url: bytes
    person_id: UUID | None
    channel: str


@dataclass(frozen=True)
class NewNotification:
    notification_id: UUID
    channel_id: UUID
    template: str
    dedup_key: str
    urgent: bool
    sealed_text: bytes
    created_at: datetime
    due_at: datetime


class Outbox(Statements):
    """`company_id` is that of the fence."""

    async def channels(self, company_id: UUID, *, people: bool = False) -> list[Channel]:
        """By name. Those of people on call are nobody's to choose: only with `people`."""
        only = "" if people else " and person_id is null"
        return await self._rows(Channel, f"{_CHANNEL}{only} order by name", company_id)

    async def channel(self, company_id: UUID, name: str) -> Channel | None:
        found = await self._rows(
            Channel, f"{_CHANNEL} and name = %(name)s and person_id is null", company_id, name=name
        )
        return found[0] if found else None

    async def channels_by_id(self, company_id: UUID, channel_ids: Sequence[UUID]) -> list[Channel]:
        return await self._rows(
            Channel, f"{_CHANNEL} and channel_id = any(%(ids)s) order by name", company_id, ids=list(channel_ids)
        )

    async def add_channel(self, company_id: UUID, channel: Channel) -> bool:
        """False where there is one of this name."""
        return await self._execute(_ADD_CHANNEL, company_id, **vars(channel)) == 1

    async def remove_channels(self, company_id: UUID, channel_ids: Sequence[UUID], now: datetime) -> None:
        """With their addresses; what still waits to go there has failed."""
        values = {"channel_ids": list(channel_ids), "now": now}
        await self._execute(_REMOVE_CHANNELS, company_id, **values)
        await self._execute(_FAIL_REMOVED, company_id, **values)

    async def move(self, company_id: UUID, from_ids: Sequence[UUID], to_id: UUID, now: datetime) -> None:
        """What waits to go to one address of a person goes to another of the same."""
        await self._execute(_MOVE, company_id, from_ids=list(from_ids), to_id=to_id, now=now)

    async def add(self, company_id: UUID, new: NewNotification, window: timedelta) -> UUID | None:
        """Keep it, or count it with the one of the same channel and key within `window`, whose id is returned then."""
        connection = await driver(self._database)
        # Two writers of the same key at the same time would each see none.
        await connection.execute(_LOCK_KEY, (f"{company_id}/{new.channel_id}/{new.dedup_key}",))
        row = await (await connection.execute(_REPEAT, vars(new) | {
            "company_id": company_id, "since": new.created_at - window, "until": new.created_at + window,
        })).fetchone()  # fmt: skip
        if row is not None:
            return UUID(str(row[0]))
        await self._execute(_ADD, company_id, **vars(new))
        return None

    async def find(self, company_id: UUID, notification_id: UUID) -> Notification | None:
        found = await self._rows(
            Notification, f"{_SHOWN} and n.notification_id = %(id)s", company_id, id=notification_id
        )
        return found[0] if found else None

    async def page(self, company_id: UUID, **filters: Any) -> list[Notification]:
        """Newest first. `before`, `before_id`, `state`, `limit`."""
        return await self._rows(Notification, _PAGE, company_id, **filters)

    async def companies_due(self, now: datetime) -> list[UUID]:
        """Whose messages are due, past the fence: ids only."""
        connection = await driver(self._database)
        rows = await connection.execute("select companies_with_due_notifications(%s)", (now,))
        return [row[0] for row in await rows.fetchall()]

    async def claim(
        self, company_id: UUID, lease: UUID, now: datetime, until: datetime, rows_max: int
    ) -> list[Claimed]:  # fmt: skip
        """What is due becomes ours until `until`; nobody else claims it before."""
        values = {"lease": lease, "now": now, "until": until, "rows_max": rows_max}
        return await self._rows(Claimed, _CLAIM, company_id, **values)

    async def end(
        self, company_id: UUID, notification_id: UUID, lease: UUID, state: State, problem: str | None, now: datetime,
        due_at: datetime,
    ) -> bool:  # fmt: skip
        """False where the lease is not ours any more."""
        return await self._execute(
            _END, company_id, notification_id=notification_id, lease=lease, state=state.value, problem=problem, now=now,
            due_at=due_at,
        ) == 1  # fmt: skip

    async def forget(self, before: datetime) -> None:
        """Remove some of those of every company that ended before then, past the fence."""
        connection = await driver(self._database)
        await connection.execute("select forget_notifications(%s)", (before,))
