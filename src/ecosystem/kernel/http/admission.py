"""Which requests are worked on at once, which wait a moment, which are sent away: by priority, fair to companies.

A process that takes everything that comes gives everybody a late answer. So few requests are worked on at once; the
others wait, for a short time and in a queue with an end; what waits in vain is refused while that costs little. An
urgent request goes before an ordinary one, that before a bulk one. Within a priority the company goes first that has
the least at work, so that one that sends ten times as much gets what the others leave, and not what they need.
"""

import asyncio
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

from fastapi import Request

from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem.kernel.http.settings import HttpSettings
from ecosystem.kernel.telemetry.metrics import METRICS, Metrics
from ecosystem.kernel.turns import Company, Turns

F = TypeVar("F", bound=Callable[..., Any])
_ATTRIBUTE = "ecosystem_priority"
_RETRY_SECONDS_MAX = 30


class Priority(IntEnum):
    """The smaller goes first. `ELSEWHERE`: what the route starts has a bound of its own, or its caller waits long."""

    URGENT = 0
    ORDINARY = 1
    BULK = 2
    ELSEWHERE = 3


class Overloaded(EcosystemError):
    code, status, kind, severity = "overloaded", 503, Kind.TRANSIENT, Severity.MEDIUM
    rule = "More requests wait already than can be answered in time."
    suggestion = "Send it again after the seconds of Retry-After; the same Idempotency-Key keeps it one request."


class CompanyTooBusy(EcosystemError):
    code, status, kind, severity = "company_too_busy", 429, Kind.TRANSIENT, Severity.LOW
    rule = "A company's requests give way where others wait and it has the most."
    suggestion = "Send fewer at once, and this one again after the seconds of Retry-After."


def priority(level: Priority) -> Callable[[F], F]:
    """Mark an endpoint (below its route decorator); without a mark it is ORDINARY."""

    def mark(endpoint: F) -> F:
        setattr(endpoint, _ATTRIBUTE, level)
        return endpoint

    return mark


class Priorities:
    """The priority of a request by its method and path, before it is routed."""

    def __init__(self, routes: Iterable[Any]) -> None:
        self._marked: list[tuple[re.Pattern[str], frozenset[str], Priority]] = [
            (route.path_regex, frozenset(route.methods or ()), level)
            for route in routes
            if (level := getattr(getattr(route, "endpoint", None), _ATTRIBUTE, None)) is not None
        ]

    def of(self, method: str, path: str) -> Priority:
        for pattern, methods, level in self._marked:
            if method in methods and pattern.match(path):
                return level
        return Priority.ORDINARY


@dataclass(eq=False)
class Place:
    """A request's place at work. `leave` it as soon as the request only waits; once is enough, more do no harm."""

    company: Company
    level: Priority
    _free: Callable[["Place"], None]
    _left: bool = False

    def leave(self) -> None:
        if not self._left:
            self._left = True
            self._free(self)


@dataclass(eq=False)
class _Waiter:
    company: Company
    level: Priority
    granted: asyncio.Future[None]


class Admission:
    """One for each process. `at_once` of them are worked on; each level may use a part, so that none fills it all.

    `calls_at_work` tells how many agent calls the process handles now: each is a step of something that was taken
    before, so that each takes one place of what would be taken newly (bulk), down to one.
    """

    def __init__(
        self, settings: HttpSettings, metrics: Metrics = METRICS, calls_at_work: Callable[[], int] = lambda: 0
    ) -> None:
        at_once = settings.requests_at_once_max
        self._ceilings = {
            Priority.URGENT: at_once,
            Priority.ORDINARY: at_once - max(1, at_once // 8),
            Priority.BULK: at_once // 4,
        }
        self._waiting_max, self._wait_seconds = settings.requests_waiting_max, settings.request_wait_seconds
        self._queues: dict[Priority, Turns[_Waiter]] = {level: Turns() for level in self._ceilings}
        self._at_work: Counter[Company] = Counter()
        self._levels: Counter[Priority] = Counter()
        self._seconds_each = 0.0
        self._last_left = time.monotonic()
        self._metrics, self._calls_at_work = metrics, calls_at_work

    @property
    def at_work(self) -> int:
        return sum(self._levels.values())

    @property
    def waiting(self) -> int:
        return sum(queue.size for queue in self._queues.values())

    async def enter(self, company: Company, level: Priority) -> Place:
        """A place at work, at once or within `http.request_wait_seconds`.

        Raises:
            Overloaded, CompanyTooBusy: no place; `retry_after_seconds` says when there may be one.
        """
        if level is Priority.ELSEWHERE:
            return Place(company, level, lambda _: None)
        if self._has_room(level) and not self._queues[level].size:
            return self._place(company, level)
        if self.waiting >= self._waiting_max:
            self._make_room(company, level)
        waiter = _Waiter(company, level, asyncio.get_running_loop().create_future())
        self._queues[level].add(company, waiter)
        try:
            async with asyncio.timeout(self._wait_seconds):
                await waiter.granted
        except TimeoutError:
            self._withdraw(waiter)
            raise self._refusal(level, Overloaded) from None
        except asyncio.CancelledError:
            self._withdraw(waiter)
            raise
        return Place(company, level, self._free)

    def _withdraw(self, waiter: _Waiter) -> None:
        granted = waiter.granted
        if self._queues[waiter.level].remove(waiter.company, waiter) or granted.cancelled():
            return
        if granted.exception() is None:
            self._free(Place(waiter.company, waiter.level, self._free))

    def _has_room(self, level: Priority) -> bool:
        ceiling = self._ceilings[level]
        if level is Priority.BULK:
            ceiling = max(1, ceiling - self._calls_at_work())
        # What is less urgent counts against the ceiling of what is more: only the rest is kept free for that.
        return self.at_work < self._ceilings[Priority.URGENT] and sum(
            count for other, count in self._levels.items() if other >= level
        ) < ceiling  # fmt: skip

    def _place(self, company: Company, level: Priority) -> Place:
        self._at_work[company] += 1
        self._levels[level] += 1
        return Place(company, level, self._free)

    def _free(self, place: Place) -> None:
        now = time.monotonic()
        self._seconds_each += 0.05 * (min(now - self._last_left, 1.0) - self._seconds_each)
        self._last_left = now
        self._at_work[place.company] -= 1
        if self._at_work[place.company] <= 0:
            del self._at_work[place.company]
        self._levels[place.level] -= 1
        self._grant()

    def _grant(self) -> None:
        for level, queue in self._queues.items():
            while queue.size and self._has_room(level):
                company, waiter = queue.take_next(self._at_work)
                if not waiter.granted.done():
                    self._place(company, level)
                    waiter.granted.set_result(None)

    def _make_room(self, company: Company, level: Priority) -> None:
        """Send somebody away for the newcomer, or the newcomer. Raises Overloaded, CompanyTooBusy."""
        for lower in sorted(self._queues, reverse=True):
            queue = self._queues[lower]
            if lower > level and queue.size:
                _send_away(queue, self._refusal(lower, Overloaded))
                return
        queue = self._queues[level]
        if queue.size:
            busiest = queue.busiest()
            if queue.of(busiest) > queue.of(company) + 1:
                _send_away(queue, self._refusal(level, CompanyTooBusy))
                return
            if busiest == company and queue.companies > 1:
                raise self._refusal(level, CompanyTooBusy)
        raise self._refusal(level, Overloaded)

    def _refusal(self, level: Priority, kind: type[EcosystemError]) -> EcosystemError:
        self._metrics.http_requests_refused_total.labels(kind.code, level.name.lower()).inc()
        seconds = math.ceil(self._seconds_each * self.waiting)
        return kind(retry_after_seconds=min(max(seconds, 1), _RETRY_SECONDS_MAX))


def _send_away(queue: Turns[_Waiter], refusal: EcosystemError) -> None:
    """The newest of the company that has most there."""
    newest = queue.take_newest(queue.busiest())
    if not newest.granted.done():
        newest.granted.set_exception(refusal)


def stand_aside(request: Request) -> None:
    """In a route that is about to do nothing but wait: let another request be worked on meanwhile."""
    place: Place | None = request.scope.get("place")
    if place is not None:
        place.leave()
