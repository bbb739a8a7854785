"""The policy of one route: retry (budget (breaker (rate (time (bulkhead (work)))))), and what stands in at the end."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ecosystem.kernel import context
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.errors import DeadlineExceeded, Kind, describe
from ecosystem.kernel.resilience.breaker import CircuitBreaker, Verdict, judge
from ecosystem.kernel.resilience.errors import NotTried
from ecosystem.kernel.resilience.limits import Bulkhead, RateLimiter, RetryBudget
from ecosystem.kernel.resilience.rules import BreakerRules, RouteRules, State
from ecosystem.kernel.telemetry.log import log
from ecosystem.kernel.telemetry.metrics import METRICS, Metrics

T = TypeVar("T")
Work = Callable[[int], Awaitable[T]]
Fallback = Callable[[Exception], Awaitable[T]]

_ENDLESS = float("inf")


class Policy:
    """Calls of one process to one destination under one route's rules; `name` goes to logs and metrics."""

    def __init__(
        self, name: str, rules: RouteRules, clock: Clock | None = None, *, metrics: Metrics = METRICS,
        judge: Callable[[BaseException], Verdict] = judge, jitter: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        self.name, self.rules = name, rules
        self._clock, self._metrics, self._jitter = clock or SystemClock(), metrics, jitter
        self._monotonic = self._clock.monotonic
        self.breaker = observed(name, rules.breaker, self._clock, judge, metrics) if rules.breaker else None
        self.budget = RetryBudget(rules.retry_budget_percent, rules.retry_budget_burst)
        bulkhead, rate = rules.bulkhead_calls_max, rules.rate_calls_max
        self._bulkhead = Bulkhead(name, bulkhead, rules.bulkhead_wait_seconds) if bulkhead else None
        self._rate = (
            RateLimiter(name, rate, rules.rate_period_seconds, rules.rate_wait_seconds, self._clock) if rate else None
        )

    async def call(self, work: Work[T], *, attempts: int | None = None, fallback: Fallback[T] | None = None) -> T:
        """`work(attempt)`, `attempts` times at most (by default the route's), all within the route's time-out.

        Only transient and unknown errors are tried again. `fallback` gets the last of those and its answer counts;
        a broken rule reaches the caller.

        Raises:
            CallNotPermitted, RequestNotPermitted, BulkheadFull: nobody was asked at any attempt.
            DeadlineExceeded: the route's time-out, or the context's deadline.
            What `work` raises.
        """
        seconds = self.rules.timeout_seconds
        try:
            if seconds is None:
                return await self.run(work, attempts)
            with context.deadline_within(seconds):
                return await self.run(work, attempts, self._monotonic() + context.remaining_seconds(seconds))
        except Exception as error:
            if fallback is None or describe(error).kind is Kind.PERMANENT:
                raise
            return await fallback(error)

    async def run(self, work: Work[T], attempts: int | None = None, ends: float = _ENDLESS) -> T:
        """`call` for whoever limits the time of `work` itself; `ends` is a reading of the clock's `monotonic()`."""
        attempts = self.rules.attempts if attempts is None else attempts
        self.budget.earn()
        attempt, tried = 1, None
        while True:
            try:
                return await self._once(work, attempt, ends)
            except NotTried as refusal:
                # Who was not let in now is not let in a moment later either.
                self._metrics.calls_not_permitted_total.labels(self.name, refusal.code).inc()
                raise tried or refusal from None
            except Exception as error:
                seconds, tried = self._wait_seconds(attempt), error
                if attempt >= attempts or not self._repeats(error, seconds, ends):
                    raise
            await self._clock.sleep(seconds)
            attempt += 1

    async def _once(self, work: Work[T], attempt: int, ends: float) -> T:
        breaker = self.breaker
        if breaker is None:
            return await self._limited(work, attempt, ends)
        stay, began = breaker.acquire(), self._monotonic()
        try:
            if self._rate is None and self._bulkhead is None and ends == _ENDLESS:
                result = await work(attempt)
            else:
                result = await self._limited(work, attempt, ends)
        except BaseException as error:
            breaker.on_error(stay, self._monotonic() - began, error)
            raise
        breaker.on_success(stay, self._monotonic() - began)
        return result

    async def _limited(self, work: Work[T], attempt: int, ends: float) -> T:
        if self._rate is not None:
            await self._rate.acquire()
        if ends == _ENDLESS:
            return await self._in_bulkhead(work, attempt)
        seconds = ends - self._monotonic()
        if seconds <= 0:
            raise DeadlineExceeded
        try:
            async with asyncio.timeout(seconds) as timer:
                return await self._in_bulkhead(work, attempt)
        except TimeoutError as error:
            if not timer.expired():
                raise
            raise DeadlineExceeded(f"{self.name} did not answer within its time-out.") from error

    async def _in_bulkhead(self, work: Work[T], attempt: int) -> T:
        if self._bulkhead is None:
            return await work(attempt)
        await self._bulkhead.acquire()
        try:
            return await work(attempt)
        finally:
            self._bulkhead.release()

    def _repeats(self, error: Exception, wait_seconds: float, ends: float) -> bool:
        """Whether another attempt could help, in time, and within the budget, which it then has spent."""
        if describe(error).kind is Kind.PERMANENT:
            return False
        now, deadline = self._monotonic(), context.current().deadline
        if ends - now <= wait_seconds or (deadline is not None and deadline - time.monotonic() <= wait_seconds):
            return False
        if self.budget.spend():
            return True
        self._metrics.retry_budget_exhausted_total.labels(self.name).inc()
        return False

    def _wait_seconds(self, attempt: int) -> float:
        """Before the next attempt: 1, 2, 4 … s, at most 30, with jitter, so that callers do not come back together."""
        rules = self.rules
        seconds: float = min(rules.retry_wait_seconds * 2 ** (attempt - 1), rules.retry_wait_seconds_max)
        return seconds * (0.5 + self._jitter() / 2)


def observed(
    name: str, rules: BreakerRules, clock: Clock, judge: Callable[[BaseException], Verdict] = judge,
    metrics: Metrics = METRICS,
) -> CircuitBreaker:  # fmt: skip
    """A breaker each of whose changes is counted and logged."""

    def changed(former: State, state: State) -> None:
        metrics.circuit_breaker_state_changes.labels(name, state.value).inc()
        write = log.warning if state is State.OPEN else log.info
        write("a circuit breaker changed", breaker=name, former=former.value, state=state.value)

    return CircuitBreaker(name, rules, clock, judge=judge, changed=changed)
