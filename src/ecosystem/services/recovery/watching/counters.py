"""A detector that reads what every instance counts: errors, calls that found no room, and events that went around the
log."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.errors import Kind
from ecosystem.kernel.http.scraping import Sample
from ecosystem.kernel.registry.instance import Instance
from ecosystem.kernel.words import counted
from ecosystem.services.recovery.model import Sighting, error_of
from ecosystem.services.recovery.settings import ServiceSettings
from ecosystem.services.recovery.watching.counting import NO_RISE, Counted, Rise, Rises
from ecosystem.services.recovery.watching.well import ago

LOG = "event-log"
_REQUESTS, _REFUSED, _CALLS = "http_requests_total", "http_requests_refused_total", "agent_calls_total"
_NOT_PERMITTED, _POOL, _DIRECT = (
    "calls_not_permitted_total", "database_pool_exhausted_total", "events_delivered_directly_total",
)  # fmt: skip
NAMES = (_REQUESTS, _REFUSED, _CALLS, _NOT_PERMITTED, _POOL, _DIRECT)
_BULKHEAD, _BREAKER, _SHED = "bulkhead_full", "call_not_permitted", "overloaded"
_READER_STALLS = ("handled", "not_now")
"""Outcomes of a delivery past the log to a consumer that is there: anything else is a fault of its agent."""

Scrape = Callable[[Instance, Sequence[str]], Awaitable[list[Sample] | None]]
Instances = Callable[[], Sequence[Instance]]


class Counters:
    """All of it within `recovery.count_seconds`: a fault is over when nothing more of it was counted for so long.

    An error rate and a log that is late are told at the second look that sees them: what began before may be their
    cause, and is told first.
    """

    faults = frozenset({FaultKind.ERROR_RATE_HIGH, FaultKind.LOG_LATE, FaultKind.POOL_EXHAUSTED})

    def __init__(self, instances: Instances, scrape: Scrape, clock: Clock, settings: ServiceSettings) -> None:
        self._instances, self._scrape, self._clock, self._settings = instances, scrape, clock, settings
        self._rises = Rises(settings.count_seconds)
        self._suspects: frozenset[tuple[FaultKind, str]] = frozenset()

    async def look(self) -> list[Sighting]:
        instances = self._instances()
        answers = await asyncio.gather(*(self._scrape(one, NAMES) for one in instances))
        self._rises.take(self._clock.monotonic(), list(zip(instances, answers, strict=True)))
        found = [*self._pools(), *self._bulkheads(), *self._log(), *self._requests(), *self._calls()]
        suspects, self._suspects = self._suspects, frozenset(one.key for one in found)
        return [one for one in found if one.fault is FaultKind.POOL_EXHAUSTED or one.key in suspects]

    def _pools(self) -> Iterator[Sighting]:
        for service, refused in self._rises.of(_POOL, lambda one: one.service).items():
            if refused.total >= self._settings.pool_refusals_max:
                units = counted(refused.total, "unit of work", "units of work")
                cause = f"{units} found all connections of its processes in use"
                yield self._sighting(FaultKind.POOL_EXHAUSTED, service, cause, refused, refused=refused.total)

    def _bulkheads(self) -> Iterator[Sighting]:
        full = self._rises.of(_NOT_PERMITTED, lambda one: one.label("route") if _is(one, _BULKHEAD) else None)
        for route, refused in full.items():
            if refused.total >= self._settings.pool_refusals_max:
                cause = f"{counted(refused.total, 'refused call')}: as many as its bulkhead lets in were running"
                found = self._sighting(
                    FaultKind.POOL_EXHAUSTED, f"route:{route}", cause, refused, refused=refused.total
                )
                yield replace(found, runbook="high_error_rate")

    def _log(self) -> Iterator[Sighting]:
        late = self._rises.of(
            _DIRECT, lambda one: one.label("consumer") if one.label("outcome") in _READER_STALLS else None
        )
        if late:
            cause = f"events were brought past it by direct call, to {', '.join(sorted(late))}"
            brought = sum(late.values(), NO_RISE)
            yield self._sighting(FaultKind.LOG_LATE, LOG, cause, brought, deliveries=brought.total)

    def _requests(self) -> Iterator[Sighting]:
        """Requests that a service answered. Who is sent away because others wait is no error: it is meant so."""
        asked = self._rises.of(_REQUESTS, lambda one: one.service)
        failed = self._rises.of(_REQUESTS, lambda one: one.service if one.label("status").startswith("5") else None)
        shed = self._rises.of(_REFUSED, lambda one: one.service if one.label("reason") == _SHED else None)
        for service, all_of_them in asked.items():
            away = shed.get(service, NO_RISE)
            most = partial(self._most, _REQUESTS, partial(_answer, service=service, away=away))
            yield from self._rate(service, all_of_them - away, failed.get(service, NO_RISE) - away, "request", most)

    def _calls(self) -> Iterator[Sighting]:
        """Calls that agents made of each other. Who breaks a rule is told so: that is no fault of the agent."""
        asked = self._rises.of(_CALLS, lambda one: one.label("agent"))
        failed = self._rises.of(_CALLS, lambda one: one.label("agent") if _is_failure(one.label("code")) else None)
        left_alone = self._rises.of(
            _NOT_PERMITTED, lambda one: one.label("route").partition(" -> ")[2] if _is(one, _BREAKER) else None
        )
        for agent in asked.keys() | left_alone.keys():
            # A breaker that is open lets nobody fail: the fault goes on, and none begins by it.
            goes_on = (FaultKind.ERROR_RATE_HIGH, agent) in self._suspects
            away = left_alone.get(agent, NO_RISE) if goes_on else NO_RISE
            most = partial(self._most, _CALLS, partial(_failure, agent=agent))
            yield from self._rate(
                agent, asked.get(agent, NO_RISE) + away, failed.get(agent, NO_RISE) + away, "call", most
            )

    def _most(self, name: str, by: Callable[[Counted], str | None]) -> str:
        """What most of them were, for who must find their cause; empty where nothing is known of any."""
        kinds = self._rises.of(name, by)
        return max(kinds, key=lambda kind: (kinds[kind].total, kind), default="")

    def _rate(
        self, component: str, asked: Rise, failed: Rise, what: str, most: Callable[[], str]
    ) -> Iterator[Sighting]:
        if failed.total >= self._settings.errors_min and failed.total >= asked.total * self._settings.error_share_max:
            often = f"{failed.total:.0f} of {counted(asked.total, what)}"
            with_what = f", most with {kind}" if (kind := most()) else ""
            cause = f"{often} failed within {self._settings.count_seconds:.0f} s{with_what}"
            yield self._sighting(
                FaultKind.ERROR_RATE_HIGH, component, cause, failed, asked=asked.total, failed=failed.total
            )

    def _sighting(self, fault: FaultKind, component: str, cause: str, risen: Rise, **measures: float) -> Sighting:
        """`risen`: what was counted of it. Until the look before the first of it, there was none."""
        first = self._clock.monotonic() if risen.first is None else risen.first
        since = ago(self._clock, first)
        return Sighting(fault, component, cause, self._clock.now(), detail=dict(measures), since=since)


def _is(counted: Counted, code: str) -> bool:
    return counted.label("code") == code


def _answer(one: Counted, service: str, away: Rise) -> str | None:
    """How a request failed; 503 says nothing of it while others are sent away by it."""
    status = one.label("status")
    if one.service != service or not status.startswith("5") or (status == "503" and away.total):
        return None
    return f"{status} to {one.label('method')} {one.label('route')}"


def _failure(one: Counted, agent: str) -> str | None:
    code = one.label("code")
    return code if one.label("agent") == agent and _is_failure(code) else None


def _is_failure(code: str) -> bool:
    """Whether a call failed by a fault of the world; a code that nobody knows counts."""
    known = error_of(code)
    return code not in ("success", _SHED) and (known is None or known.kind is not Kind.PERMANENT)
