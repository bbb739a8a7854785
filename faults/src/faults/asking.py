"""Asks the platform, as an operator asks, what it tells of faults."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ecosystem_client import AsyncEcosystem
from ecosystem_client.calling import CalledPage
from ecosystem_client.errors import NotFound
from ecosystem_client.reading import Page as Listed
from faults.customers import Customer
from faults.delivering import PLATFORM, Delivered, compare
from faults.fleet import Fleet
from faults.incidents import Episode, PageSent, Told
from faults.injecting import Injected
from faults.journal import Journal, Message
from faults.receivers import CHANNELS
from faults.recognising import DETECTED_SECONDS_MAX, Injection, Recognised, recognise

_LISTED = 100
_TIMELINE_MAX = 300
"""A timeline keeps so many lines, and behind them only what people must know: no repairs."""
_TOLD = """
select l.subject, min(extract(epoch from i.handled_at))::float8
  from monitoring.inbox i join kernel.log l using (event_id)
 where l.type = 'fault_observed' and i.consumer = 'monitoring-incidents' group by l.subject
"""
"""When monitoring-service first heard of an episode, which may be told again: no answer of the API says it."""

_LOOK_SECONDS = 1.0
_ARRIVES_SECONDS = 10.0
"""What was asked for just before the end is on its way for so long."""


def injections(injected: Injected) -> list[Injection]:
    """What was injected, at times of the clock on the wall."""
    epoch = time.time() - time.monotonic()

    def wall(reading: float | None) -> float | None:
        return None if reading is None else reading + epoch

    return [
        Injection(one.fault, one.began_at + epoch, one.over_at + epoch, wall(one.repaired_at), wall(one.back_at))
        for one in sorted(injected.repairs, key=lambda one: one.began_at)
    ]


async def recognised(operator: AsyncEcosystem, fleet: Fleet, injected: Injected) -> Recognised:
    """What was told of the faults, as soon as it is all there or the time for it is over.

    Raises EcosystemFailure, and psycopg.Error.
    """
    end = asyncio.get_running_loop().time() + DETECTED_SECONDS_MAX
    faults = injections(injected)
    while True:
        told = await read(operator, fleet)
        found = recognise(faults, told)
        if asyncio.get_running_loop().time() > end or not (found.broken or told.any_open):
            return found
        await asyncio.sleep(_LOOK_SECONDS)


async def read(operator: AsyncEcosystem, fleet: Fleet) -> Told:
    """Raises EcosystemFailure, and psycopg.Error."""
    incidents = await _incidents(operator)
    of_episode = {id_: one for one in incidents.values() for id_ in one.episodes}
    done: dict[str, list[str]] = {}
    decided: set[str] = set()
    async for repair in operator.recovery.actions(limit=_LISTED):
        if repair.episode_id is not None and repair.outcome == "done":
            done.setdefault(repair.episode_id, []).append(repair.action_id)
            if repair.decided_by not in (None, "recovery-agent"):
                decided.add(repair.episode_id)
    told_at = {str(subject): at for subject, at in await fleet.sql(_TOLD)}
    episodes = []
    async for one in _all(lambda cursor: operator.recovery.episodes_page(limit=_LISTED, cursor=cursor)):
        id_, began_at, incident = one.episode_id, _epoch(one.observed_at), of_episode.get(one.episode_id)
        assert began_at is not None
        repaired = incident is not None and any(incident.tells(action) for action in done.get(id_, ()))
        episodes.append(
            Episode(
                id_, one.fault, one.component, one.cause, began_at, _epoch(one.cleared_at), told_at.get(id_),
                incident.number if incident else None, repaired, _epoch(one.help_at), id_ in decided,
            )
        )  # fmt: skip
    pages = [
        PageSent(
            incidents[page.incident_id].number if page.incident_id in incidents else 0, page.requested_at.timestamp()
        )
        async for page in _all(lambda cursor: operator.oncall.pages(limit=_LISTED, cursor=cursor))
    ]  # fmt: skip
    return Told(tuple(sorted(episodes, key=lambda one: one.began_at)), tuple(sorted(pages, key=lambda one: one.at)))


async def delivered(operator: AsyncEcosystem, customers: Sequence[Customer], journal: Journal) -> Delivered:
    """What came of the messages that were promised, as soon as all came or the time for it is over.

    Raises EcosystemFailure.
    """
    end = asyncio.get_running_loop().time() + _ARRIVES_SECONDS
    clients = {one.company_id: one.patient for one in customers}
    while True:
        messages = [await _with_ids(clients[one.owner], one) for one in journal.read().messages.values()]
        async for page in _all(lambda cursor: operator.oncall.pages(limit=_LISTED, cursor=cursor)):
            messages.append(await _with_ids(operator, Message(PLATFORM, page.page_id, CHANNELS, (), page.page_id)))
        said: dict[str, str] = {}
        for client in (operator, *clients.values()):
            said |= await _said_of_messages(client)
        # Read last: what was promised meanwhile is nobody's fault, what arrived is.
        found = compare(messages, journal.read().arrivals, said)
        if asyncio.get_running_loop().time() > end or not found.wrong["undelivered"]:
            return found
        await asyncio.sleep(_LOOK_SECONDS)


async def _with_ids(client: AsyncEcosystem, message: Message) -> Message:
    """That of a page with the ids of all of its messages."""
    if message.page_id is None:
        return message
    try:
        page: CalledPage = await client.oncall.get(message.page_id)
    except NotFound:
        return message
    ids = [one for call in page.calls for one in call.notifications]
    return replace(message, ids=ids, times=max(1, len(page.calls)))


async def _said_of_messages(client: AsyncEcosystem) -> dict[str, str]:
    return {
        one.notification_id: f"{one.state} after attempt {one.attempts}{f' ({one.problem})' if one.problem else ''}"
        async for one in _all(lambda cursor: client.notifications.page(limit=_LISTED, cursor=cursor))
    }


@dataclass(frozen=True)
class _Incident:
    number: int
    episodes: frozenset[str]
    actions: frozenset[str]
    lines: int

    def tells(self, action_id: str) -> bool:
        return action_id in self.actions or self.lines >= _TIMELINE_MAX


async def _incidents(operator: AsyncEcosystem) -> dict[str, _Incident]:
    found = {}
    async for listed in _all(lambda cursor: operator.incidents.page(limit=_LISTED, cursor=cursor)):
        incident = await operator.incidents.get(listed.number)
        found[incident.incident_id] = _Incident(
            incident.number, frozenset(str(one["episode_id"]) for one in incident.raw["episodes_shown"]),
            frozenset(str(line.detail["action_id"]) for line in incident.timeline if "action_id" in line.detail),
            len(incident.timeline),
        )  # fmt: skip
    return found


def _epoch(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


async def _all(page: Callable[[str | None], Awaitable[Listed[Any]]]) -> AsyncIterator[Any]:
    cursor = None
    while True:
        found = await page(cursor)
        for one in found.items:
            yield one
        if (cursor := found.next_cursor) is None:
            return
