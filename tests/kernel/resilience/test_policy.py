"""Goal: a route's policy waits, limits and repeats as its rules say. Method: the policy itself, on its own clock."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from ecosystem.kernel import context
from ecosystem.kernel.errors import Conflict, DeadlineExceeded, EcosystemError, Unavailable
from ecosystem.kernel.resilience.errors import BulkheadFull, CallNotPermitted, RequestNotPermitted
from ecosystem.kernel.resilience.limits import RateLimiter, RetryBudget
from ecosystem.kernel.resilience.policy import Policy
from ecosystem.kernel.resilience.rules import BreakerRules, RouteRules, State
from ecosystem.kernel.telemetry.metrics import Metrics
from ecosystem.kernel.testing.clock import FrozenClock


class Route:
    """A policy and a destination that does what it is told; `seen` are the attempts that reached it."""

    def __init__(self, **rules: Any) -> None:
        self.clock, self.metrics = FrozenClock(), Metrics(CollectorRegistry())
        self.policy = Policy("a -> b", RouteRules(**rules), self.clock, metrics=self.metrics, jitter=lambda: 1.0)
        self.seen: list[int] = []
        self.failures = 0
        self.error: Callable[[], Exception] = Unavailable

    async def work(self, attempt: int) -> str:
        self.seen.append(attempt)
        if self.failures:
            self.failures -= 1
            raise self.error()
        return "answer"

    async def call(self, **more: Any) -> str:
        return await self.policy.call(self.work, **more)

    def count(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


class TestRetry:
    async def test_waits_double_up_to_their_limit(self) -> None:
        route = Route(attempts=8)
        route.failures, began, waits = 7, route.clock.monotonic(), []

        async def work(attempt: int) -> str:
            waits.append(route.clock.monotonic() - began - sum(waits))
            return await route.work(attempt)

        assert await route.policy.call(work) == "answer"
        assert waits == [0, 1, 2, 4, 8, 16, 30, 30]

    async def test_jitter_shortens_a_wait_by_up_to_a_half(self) -> None:
        route = Route(attempts=2)
        route.policy = Policy("a -> b", RouteRules(attempts=2), route.clock, jitter=lambda: 0.0)
        route.failures, began = 1, route.clock.monotonic()

        await route.call()

        assert route.clock.monotonic() - began == 0.5

    async def test_attempts_are_counted_with_the_first(self) -> None:
        route = Route(attempts=2)
        route.failures = 5

        with pytest.raises(Unavailable):
            await route.call()
        assert route.seen == [1, 2]

    async def test_a_caller_may_want_fewer(self) -> None:
        route = Route(attempts=3)
        route.failures = 5

        with pytest.raises(Unavailable):
            await route.call(attempts=1)
        assert route.seen == [1]

    async def test_a_broken_rule_is_not_tried_again(self) -> None:
        route = Route(attempts=3)
        route.failures, route.error = 1, Conflict

        with pytest.raises(Conflict):
            await route.call()
        assert route.seen == [1]

    async def test_an_unknown_error_is(self) -> None:
        route = Route(attempts=3)
        route.failures, route.error = 1, ValueError

        assert await route.call() == "answer"

    async def test_no_wait_outlives_the_deadline(self) -> None:
        route = Route(attempts=3)
        route.failures = 2

        with context.deadline_within(0.9), pytest.raises(Unavailable):
            await route.call()
        assert route.seen == [1]

    async def test_no_wait_outlives_the_routes_time(self) -> None:
        route = Route(attempts=3, timeout_seconds=2.5)
        route.failures = 5

        with pytest.raises(Unavailable):
            await route.call()
        assert route.seen == [1, 2]


class TestBudget:
    async def test_repeats_are_a_fifth_of_the_calls_and_a_few_to_begin_with(self) -> None:
        route = Route(attempts=3, retry_budget_burst=10)
        route.failures = 10_000

        for _ in range(1000):
            with pytest.raises(Unavailable):
                await route.call()

        assert 1000 // 5 <= len(route.seen) - 1000 <= 10 + 1000 // 5
        assert (route.count("retry_budget_exhausted_total", route="a -> b") or 0) > 900

    def test_a_long_quiet_time_saves_up_no_more_than_the_first_few(self) -> None:
        budget = RetryBudget(20, burst=3)
        for _ in range(1000):
            budget.earn()

        assert [budget.spend() for _ in range(5)] == [True, True, True, False, False]


class TestTime:
    async def test_it_ends_what_does_not_answer_and_counts_it_as_a_failure(self) -> None:
        route = Route(timeout_seconds=0.01, breaker=BreakerRules(sliding_window_size=1))

        with pytest.raises(DeadlineExceeded):
            await route.policy.call(lambda _: asyncio.Event().wait())

        assert route.policy.breaker
        assert route.policy.breaker.state is State.OPEN

    async def test_what_is_called_knows_its_deadline(self) -> None:
        async def work(_: int) -> float:
            return context.remaining_seconds(100)

        assert 0 < await Route(timeout_seconds=60).policy.call(work) <= 60

    async def test_a_time_out_inside_of_the_work_is_its_own(self) -> None:
        route = Route(timeout_seconds=5)
        route.failures, route.error = 1, TimeoutError

        with pytest.raises(TimeoutError):
            await route.call()


class TestBreaker:
    async def test_an_open_breaker_asks_nobody_and_is_not_tried_again(self) -> None:
        route = Route(attempts=3, retry_budget_burst=0, breaker=BreakerRules(sliding_window_size=1))
        route.failures = 1
        with pytest.raises(Unavailable):
            await route.call()

        with pytest.raises(CallNotPermitted):
            await route.call()

        assert route.seen == [1]
        assert route.count("circuit_breaker_state_changes_total", breaker="a -> b", state="open") == 1
        assert route.count("calls_not_permitted_total", route="a -> b", code="call_not_permitted") == 1

    async def test_a_refused_repeat_tells_what_the_first_attempt_met(self) -> None:
        route = Route(attempts=3, breaker=BreakerRules(sliding_window_size=1))
        route.failures = 1

        with pytest.raises(Unavailable):
            await route.call()
        assert route.seen == [1]

    async def test_refusals_of_our_own_limits_do_not_count_against_the_destination(self) -> None:
        route = Route(rate_calls_max=1, breaker=BreakerRules(sliding_window_size=2))
        await route.call()
        for _ in range(5):
            with pytest.raises(RequestNotPermitted):
                await route.call()

        assert route.policy.breaker
        assert route.policy.breaker.state is State.CLOSED


class TestFallback:
    async def stand_in(self, error: Exception) -> str:
        assert isinstance(error, EcosystemError)
        return error.code

    async def test_it_answers_when_all_attempts_failed(self) -> None:
        route = Route(attempts=2)
        route.failures = 5

        assert await route.call(fallback=self.stand_in) == "unavailable"
        assert route.seen == [1, 2]

    async def test_it_answers_for_an_open_breaker(self) -> None:
        route = Route(breaker=BreakerRules(initial_state="forced_open"))

        assert await route.call(fallback=self.stand_in) == "call_not_permitted"

    async def test_a_broken_rule_reaches_the_caller(self) -> None:
        route = Route()
        route.failures, route.error = 1, Conflict

        with pytest.raises(Conflict):
            await route.call(fallback=self.stand_in)


class TestBulkhead:
    async def test_so_many_at_once_and_the_next_is_refused(self) -> None:
        route, gate = Route(bulkhead_calls_max=2), asyncio.Event()
        running = [asyncio.ensure_future(route.policy.call(lambda _: gate.wait())) for _ in range(2)]
        await asyncio.sleep(0)

        with pytest.raises(BulkheadFull):
            await route.call()
        gate.set()
        await asyncio.gather(*running)
        assert await route.call() == "answer"

    async def test_who_may_wait_gets_the_next_place(self) -> None:
        route, gate = Route(bulkhead_calls_max=1, bulkhead_wait_seconds=10), asyncio.Event()
        running = asyncio.ensure_future(route.policy.call(lambda _: gate.wait()))
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(route.call())
        await asyncio.sleep(0)
        assert route.seen == []

        gate.set()

        assert await waiting == "answer"
        await running

    async def test_who_waits_too_long_is_refused(self) -> None:
        route = Route(bulkhead_calls_max=1, bulkhead_wait_seconds=0.001)
        running = asyncio.ensure_future(route.policy.call(lambda _: asyncio.Event().wait()))
        await asyncio.sleep(0)

        with pytest.raises(BulkheadFull):
            await route.call()
        running.cancel()


class TestRate:
    def test_so_many_begin_in_a_period(self) -> None:
        clock = FrozenClock()
        limiter = RateLimiter("b", 2, period_seconds=10, clock=clock)
        clock.advance(4)
        assert [limiter.reserve(), limiter.reserve()] == [0, 0]

        with pytest.raises(RequestNotPermitted) as refusal:
            limiter.reserve()
        assert refusal.value.details["retry_after_seconds"] == pytest.approx(6)
        assert refusal.value.status == 429

        clock.advance(6)
        assert limiter.reserve() == 0

    def test_who_may_wait_takes_one_of_a_period_to_come(self) -> None:
        clock = FrozenClock()
        limiter = RateLimiter("b", 2, period_seconds=10, wait_seconds=15, clock=clock)

        waits = [limiter.reserve() for _ in range(4)]

        assert waits == [0, 0, 10, 10]
        with pytest.raises(RequestNotPermitted):
            limiter.reserve()
        clock.advance(10)
        assert limiter.reserve() == 10

    def test_unused_ones_are_not_saved_up(self) -> None:
        clock = FrozenClock()
        limiter = RateLimiter("b", 2, period_seconds=1, clock=clock)
        clock.advance(100)

        assert [limiter.reserve() for _ in range(2)] == [0, 0]
        with pytest.raises(RequestNotPermitted):
            limiter.reserve()

    async def test_the_policy_waits_for_it(self) -> None:
        route = Route(rate_calls_max=1, rate_period_seconds=3, rate_wait_seconds=3)
        began = route.clock.monotonic()

        await route.call()
        await route.call()

        assert route.clock.monotonic() - began == 3
