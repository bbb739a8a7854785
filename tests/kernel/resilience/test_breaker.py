"""Goal: the breaker has resilience4j's semantics. Method: each sentence of them by name, on a clock that stands still;

and random histories of calls and time beside a plain model that keeps every call and counts anew each time.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecosystem.kernel.errors import Conflict, DeadlineExceeded, Unavailable
from ecosystem.kernel.resilience.breaker import CircuitBreaker, Stay, Verdict
from ecosystem.kernel.resilience.errors import BulkheadFull, CallNotPermitted
from ecosystem.kernel.resilience.rules import BreakerRules, SlidingWindowType, State
from ecosystem.kernel.testing.clock import FrozenClock

WAIT = 60.0


class Tried:
    """A breaker, its clock, and short words for what happens to it."""

    def __init__(self, *, breaker: dict[str, Any] | None = None, **rules: Any) -> None:
        values = {"sliding_window_size": 4, "minimum_number_of_calls": 4, "permitted_number_of_calls": 2}
        self.clock = FrozenClock()
        self.changes: list[tuple[State, State]] = []
        self.breaker = CircuitBreaker(
            "tried", BreakerRules(**values | rules), self.clock,
            changed=lambda *change: self.changes.append(change), **breaker or {},
        )  # fmt: skip

    @property
    def state(self) -> State:
        return self.breaker.state

    def good(self, times: int = 1, seconds: float = 0.0) -> None:
        for _ in range(times):
            self.breaker.on_success(self.breaker.acquire(), seconds)

    def bad(self, times: int = 1, seconds: float = 0.0) -> None:
        for _ in range(times):
            self.breaker.on_error(self.breaker.acquire(), seconds, Unavailable())

    def refused(self) -> CallNotPermitted:
        with pytest.raises(CallNotPermitted) as refusal:
            self.breaker.acquire()
        return refusal.value

    def open(self) -> "Tried":
        self.bad(4)
        assert self.state is State.OPEN
        return self

    def half_open(self) -> "Tried":
        self.open().clock.advance(WAIT + 0.001)
        return self


class TestClosed:
    def test_all_calls_go_through(self) -> None:
        tried = Tried()
        tried.good(10)

        assert (tried.state, tried.breaker.window.calls) == (State.CLOSED, 4)

    def test_rates_are_not_looked_at_below_the_minimum(self) -> None:
        tried = Tried()
        tried.bad(3)

        assert tried.state is State.CLOSED

    def test_it_opens_when_the_failure_rate_equals_the_threshold(self) -> None:
        tried = Tried()
        tried.good(2)
        tried.bad(2)

        assert tried.state is State.OPEN

    def test_it_stays_closed_below_the_threshold(self) -> None:
        tried = Tried(failure_rate_threshold=51)
        tried.good(2)
        tried.bad(2)

        assert tried.state is State.CLOSED

    def test_it_is_evaluated_after_successes_too(self) -> None:
        tried = Tried()
        tried.bad(3)
        tried.good()

        assert tried.state is State.OPEN

    def test_the_minimum_is_never_more_than_the_window(self) -> None:
        tried = Tried(sliding_window_size=2, minimum_number_of_calls=2)
        tried.bad(2)

        assert tried.state is State.OPEN
        assert BreakerRules(sliding_window_size=2).calls_min == 2
        with pytest.raises(ValueError, match="never more than"):
            BreakerRules(sliding_window_size=2, minimum_number_of_calls=3)

    def test_slow_is_strictly_longer_than_the_threshold(self) -> None:
        tried = Tried(slow_call_duration_threshold_seconds=2)
        tried.good(4, seconds=2.0)
        assert tried.state is State.CLOSED

        tried.good(4, seconds=2.001)
        assert tried.state is State.OPEN

    def test_the_slow_call_rate_opens_it_on_its_own(self) -> None:
        tried = Tried(slow_call_duration_threshold_seconds=2, slow_call_rate_threshold=75)
        tried.good()
        tried.good(3, seconds=3)

        assert tried.state is State.OPEN

    def test_each_rate_is_looked_at_on_its_own(self) -> None:
        tried = Tried(slow_call_duration_threshold_seconds=2, slow_call_rate_threshold=75, failure_rate_threshold=75)
        tried.bad(2)
        tried.good(2, seconds=3)

        assert tried.state is State.CLOSED

    def test_a_slow_failure_counts_as_both(self) -> None:
        tried = Tried(slow_call_duration_threshold_seconds=2)
        tried.bad(seconds=3)

        window = tried.breaker.window
        assert (window.calls, window.failed, window.slow) == (1, 1, 1)


class TestWindows:
    def test_a_count_window_forgets_the_oldest_call(self) -> None:
        tried = Tried(failure_rate_threshold=75)
        tried.bad(2)
        tried.good(4)
        tried.bad(2)

        assert (tried.state, tried.breaker.window.failed) == (State.CLOSED, 2)

    def test_a_time_window_forgets_what_is_older_than_its_seconds(self) -> None:
        tried = Tried(sliding_window_type="time_based", sliding_window_size=10)
        tried.bad(3)
        tried.clock.advance(10)
        tried.bad(3)

        assert (tried.state, tried.breaker.window.calls) == (State.CLOSED, 3)
        tried.clock.advance(9)
        tried.bad()
        assert tried.state is State.OPEN

    def test_the_minimum_of_a_time_window_may_be_more_than_its_seconds(self) -> None:
        tried = Tried(sliding_window_type="time_based", sliding_window_size=2, minimum_number_of_calls=5)
        tried.bad(4)
        assert tried.state is State.CLOSED

        tried.bad()
        assert tried.state is State.OPEN

    def test_consecutive_failures_open_it(self) -> None:
        tried = Tried(sliding_window_type="consecutive", sliding_window_size=3)
        tried.bad(2)
        tried.good()
        tried.bad(2)
        assert tried.state is State.CLOSED

        tried.bad()
        assert tried.state is State.OPEN

    def test_how_long_calls_take_does_not_matter_in_a_row(self) -> None:
        tried = Tried(sliding_window_type="consecutive", sliding_window_size=1, slow_call_duration_threshold_seconds=1)
        tried.good(20, seconds=9)

        assert tried.state is State.CLOSED


class TestOpen:
    def test_it_refuses_with_its_own_error_that_says_when_to_try_again(self) -> None:
        tried = Tried().open()
        tried.clock.advance(20)

        error = tried.refused()

        assert (error.code, error.status, error.retryable) == ("call_not_permitted", 503, True)
        assert error.details["retry_after_seconds"] == pytest.approx(40)
        assert tried.breaker.not_permitted == 1

    def test_the_first_call_strictly_after_the_wait_is_the_first_trial(self) -> None:
        tried = Tried().open()
        tried.clock.advance(WAIT)
        tried.refused()
        assert tried.state is State.OPEN

        tried.clock.advance(0.001)
        assert tried.state is State.OPEN
        tried.breaker.acquire()
        assert tried.state is State.HALF_OPEN

    def test_the_wait_may_depend_on_how_often_it_has_opened(self) -> None:
        tried = Tried(breaker={"open_seconds": lambda opened: 10.0**opened}).open()
        waits = [tried.breaker.retry_after()]
        for _ in range(2):
            tried.clock.advance(waits[-1] + 1)
            tried.bad(2)
            waits.append(tried.breaker.retry_after())
        tried.clock.advance(waits[-1] + 1)
        tried.good(2)
        assert tried.state is State.CLOSED
        tried.open()

        assert [*waits, tried.breaker.retry_after()] == pytest.approx([10, 100, 1000, 10])

    def test_the_wait_of_the_rules_grows_up_to_its_limit(self) -> None:
        rules = BreakerRules(wait_duration_multiplier=2, wait_duration_in_open_state_seconds_max=200)

        assert [rules.open_seconds(opened) for opened in (1, 2, 3, 1000)] == [60, 120, 200, 200]

    def test_late_results_of_calls_begun_before_are_recorded_and_move_nothing(self) -> None:
        tried = Tried()
        late = [tried.breaker.acquire() for _ in range(3)]
        tried.open()

        tried.breaker.on_success(late[0], 0)

        assert (tried.state, tried.breaker.window.calls, tried.breaker.window.failed) == (State.OPEN, 4, 3)
        tried.clock.advance(WAIT + 1)
        tried.good()
        tried.breaker.on_error(late[1], 0, Unavailable())
        assert (tried.state, tried.breaker.window.failed) == (State.HALF_OPEN, 0)
        tried.good()
        tried.breaker.on_error(late[2], 0, Unavailable())
        assert (tried.state, tried.breaker.window.calls) == (State.CLOSED, 0)


class TestHalfOpen:
    def test_so_many_trials_go_through_and_the_rest_are_refused(self) -> None:
        tried = Tried().half_open()
        for _ in range(2):
            tried.breaker.acquire()

        assert tried.refused().details["retry_after_seconds"] == 1
        assert tried.state is State.HALF_OPEN

    def test_good_trials_close_it_with_nothing_remembered(self) -> None:
        tried = Tried().half_open()
        tried.good(2)

        assert (tried.state, tried.breaker.window.calls) == (State.CLOSED, 0)
        assert [state.value for _, state in tried.changes] == ["open", "half_open", "closed"]

    def test_it_decides_in_a_fresh_window_by_the_same_rates(self) -> None:
        tried = Tried().half_open()
        tried.good()
        assert tried.state is State.HALF_OPEN

        tried.bad()
        assert tried.state is State.OPEN

    def test_slow_trials_open_it(self) -> None:
        tried = Tried(slow_call_duration_threshold_seconds=1).half_open()
        tried.good(2, seconds=2)

        assert tried.state is State.OPEN

    def test_it_decides_at_the_minimum_where_that_is_less_than_the_trials(self) -> None:
        tried = Tried(minimum_number_of_calls=1, permitted_number_of_calls=3)
        tried.bad()
        tried.clock.advance(WAIT + 1)
        tried.good()

        assert tried.state is State.CLOSED

    def test_a_threshold_of_its_own_is_measured_over_all_trials(self) -> None:
        tried = Tried(permitted_number_of_calls=4, half_open_failure_rate_threshold=75).half_open()
        tried.bad(2)
        tried.good()
        assert tried.state is State.HALF_OPEN

        tried.good()
        assert tried.state is State.CLOSED

    def test_as_shipped_any_failure_opens_it_again_at_once(self) -> None:
        tried = Tried(permitted_number_of_calls=3, half_open_failure_rate_threshold=1).half_open()
        tried.good()
        tried.bad()

        assert tried.state is State.OPEN

    def test_as_shipped_all_trials_must_succeed(self) -> None:
        tried = Tried(permitted_number_of_calls=3, half_open_failure_rate_threshold=1).half_open()
        tried.good(2)
        assert tried.state is State.HALF_OPEN

        tried.good()
        assert tried.state is State.CLOSED

    def test_without_a_maximum_it_waits_for_its_trials_for_ever(self) -> None:
        tried = Tried().half_open()
        tried.breaker.acquire()
        tried.clock.advance(10_000)

        assert tried.state is State.HALF_OPEN

    def test_after_its_maximum_stay_it_is_open_from_then_on(self) -> None:
        tried = Tried(max_wait_duration_in_half_open_state_seconds=5).half_open()
        stuck = [tried.breaker.acquire(), tried.breaker.acquire()]
        tried.clock.advance(4.9)
        assert tried.state is State.HALF_OPEN

        tried.clock.advance(1.1)
        assert tried.state is State.OPEN
        assert tried.breaker.retry_after() == pytest.approx(WAIT - 1)
        tried.breaker.on_success(stuck[0], 6)
        assert tried.state is State.OPEN

    def test_a_stay_that_ended_unseen_long_ago_is_followed_by_a_trial(self) -> None:
        tried = Tried(max_wait_duration_in_half_open_state_seconds=5).half_open()
        for _ in range(2):
            tried.breaker.acquire()
        tried.clock.advance(5 + WAIT + 1)
        tried.good(2)

        assert tried.state is State.CLOSED


class TestErrors:
    def test_an_ignored_error_gives_its_permission_back_and_counts_as_nothing(self) -> None:
        tried = Tried().half_open()
        for _ in range(20):
            tried.breaker.on_error(tried.breaker.acquire(), 9, asyncio.CancelledError())

        assert (tried.state, tried.breaker.window.calls) == (State.HALF_OPEN, 0)
        tried.good(2)
        assert tried.state is State.CLOSED

    def test_an_unrecorded_error_counts_as_a_success(self) -> None:
        tried = Tried().half_open()
        for _ in range(2):
            tried.breaker.on_error(tried.breaker.acquire(), 0, Conflict())

        assert tried.state is State.CLOSED

    @pytest.mark.parametrize(
        ("error", "failed", "calls"),
        [
            (Unavailable(), 1, 1), (DeadlineExceeded(), 1, 1), (TimeoutError(), 1, 1), (ValueError(), 1, 1),
            (Conflict(), 0, 1), (BulkheadFull(), 0, 0), (CallNotPermitted(), 0, 0), (asyncio.CancelledError(), 0, 0),
        ],
    )  # fmt: skip
    def test_the_kind_of_an_error_decides(self, error: BaseException, failed: int, calls: int) -> None:
        tried = Tried()
        tried.breaker.on_error(tried.breaker.acquire(), 0, error)

        assert (tried.breaker.window.failed, tried.breaker.window.calls) == (failed, calls)

    def test_another_judge_may_decide(self) -> None:
        tried = Tried(breaker={"judge": lambda _: Verdict.IGNORED})
        tried.bad(9)

        assert tried.breaker.window.calls == 0


class TestByHand:
    def test_disabled_lets_all_through_and_remembers_nothing(self) -> None:
        tried = Tried()
        tried.breaker.transition_to(State.DISABLED)
        tried.bad(20)

        assert (tried.state, tried.breaker.window.calls) == (State.DISABLED, 0)

    def test_metrics_only_remembers_and_never_opens(self) -> None:
        tried = Tried(initial_state="metrics_only")
        tried.bad(20)

        assert (tried.state, tried.breaker.window.failed) == (State.METRICS_ONLY, 4)

    def test_forced_open_refuses_for_ever(self) -> None:
        tried = Tried(initial_state="forced_open")
        tried.clock.advance(100_000)

        tried.refused()
        assert tried.state is State.FORCED_OPEN

    def test_closing_by_hand_begins_anew(self) -> None:
        tried = Tried().open()
        tried.breaker.transition_to(State.CLOSED)

        assert (tried.state, tried.breaker.window.calls) == (State.CLOSED, 0)


class TestAsync:
    async def test_results_and_errors_pass_and_are_recorded(self) -> None:
        tried = Tried()

        async def good() -> str:
            tried.clock.advance(3)
            return "answer"

        async def bad() -> str:
            raise Unavailable

        assert await tried.breaker.call(good) == "answer"
        for _ in range(3):
            with pytest.raises(Unavailable):
                await tried.breaker.call(bad)
        with pytest.raises(CallNotPermitted):
            await tried.breaker.call(good)

    async def test_a_caller_that_gives_up_takes_no_trial_away(self) -> None:
        tried = Tried().half_open()
        for _ in range(5):
            waiting = asyncio.ensure_future(tried.breaker.call(asyncio.Event().wait))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

        assert tried.breaker.permits()


@dataclass
class Model:
    """Every call that was ever recorded in the present state, counted anew at each question."""

    rules: BreakerRules
    now: float
    state: State = State.CLOSED
    calls: list[tuple[float, bool, bool]] = field(default_factory=list)
    until: float = 0.0
    given: int = 0
    stay: int = 0

    def settle(self) -> None:
        if self.state is State.HALF_OPEN and self.until and self.now >= self.until:
            self.open(self.until)

    def acquire(self) -> int | None:
        self.settle()
        if self.state is State.OPEN and self.now > self.until:
            seconds = self.rules.max_wait_duration_in_half_open_state_seconds
            self.enter(State.HALF_OPEN, self.now + seconds if seconds else 0)
        if self.state is State.OPEN or (
            self.state is State.HALF_OPEN and self.given >= self.rules.permitted_number_of_calls
        ):
            return None
        self.given += 1
        return self.stay

    def result(self, stay: int, failed: bool | None, seconds: float) -> None:
        self.settle()
        if stay != self.stay:
            return
        if failed is None:
            self.given -= 1
            return
        slow_seconds = self.rules.slow_call_duration_threshold_seconds
        in_a_row = self.rules.sliding_window_type is SlidingWindowType.CONSECUTIVE
        slow = slow_seconds is not None and not in_a_row and seconds > slow_seconds
        self.calls.append((self.now, failed, slow))
        if self.state is State.CLOSED:
            self.evaluate_closed()
        else:
            self.evaluate_trials()

    def evaluate_closed(self) -> None:
        rules, calls = self.rules, self.calls
        if rules.sliding_window_type is SlidingWindowType.CONSECUTIVE:
            last = calls[-rules.sliding_window_size :]
            if len(last) == rules.sliding_window_size and all(failed for _, failed, _ in last):
                self.open(self.now)
            return
        if rules.sliding_window_type is SlidingWindowType.COUNT_BASED:
            calls = calls[-rules.sliding_window_size :]
        else:
            calls = [call for call in calls if int(call[0]) > int(self.now) - rules.sliding_window_size]
        if len(calls) >= rules.calls_min and self.exceeds(calls):
            self.open(self.now)

    def evaluate_trials(self) -> None:
        rules, calls = self.rules, self.calls
        own, trials = rules.half_open_failure_rate_threshold, rules.permitted_number_of_calls
        failed = sum(call[1] for call in calls)
        if own is not None:
            if 100 * failed / trials >= own:
                self.open(self.now)
            elif len(calls) == trials:
                self.open(self.now) if self.too_slow(calls) else self.enter(State.CLOSED)
        elif len(calls) >= min(rules.calls_min, trials):
            self.open(self.now) if self.exceeds(calls) else self.enter(State.CLOSED)

    def exceeds(self, calls: list[tuple[float, bool, bool]]) -> bool:
        failed = sum(call[1] for call in calls)
        return 100 * failed / len(calls) >= self.rules.failure_rate_threshold or self.too_slow(calls)

    def too_slow(self, calls: list[tuple[float, bool, bool]]) -> bool:
        slow = sum(call[2] for call in calls)
        return slow > 0 and 100 * slow / len(calls) >= self.rules.slow_call_rate_threshold

    def open(self, since: float) -> None:
        self.enter(State.OPEN, since + self.rules.wait_duration_in_open_state_seconds)

    def enter(self, state: State, until: float = 0.0) -> None:
        self.state, self.until, self.given, self.calls, self.stay = state, until, 0, [], self.stay + 1


RULES = st.builds(
    BreakerRules,
    sliding_window_type=st.sampled_from(SlidingWindowType),
    sliding_window_size=st.integers(2, 6),
    minimum_number_of_calls=st.integers(1, 2),
    failure_rate_threshold=st.sampled_from([1, 25, 50, 75, 100]),
    slow_call_rate_threshold=st.sampled_from([50, 100]),
    slow_call_duration_threshold_seconds=st.none() | st.just(2.0),
    wait_duration_in_open_state_seconds=st.sampled_from([1.0, 3.0]),
    permitted_number_of_calls=st.integers(1, 4),
    half_open_failure_rate_threshold=st.none() | st.sampled_from([1, 50, 100]),
    max_wait_duration_in_half_open_state_seconds=st.sampled_from([0, 2]),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.just(0)),
        st.tuples(
            st.just("end"), st.integers(0, 5), st.sampled_from([True, True, False, None]), st.sampled_from([1, 2, 3])
        ),
        st.tuples(st.just("wait"), st.sampled_from([0.25, 1.0, 3.0])),
    ),
    min_size=20,
    max_size=120,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(rules=RULES, steps=STEPS)
def test_it_behaves_as_a_plain_model(rules: BreakerRules, steps: list[tuple[Any, ...]]) -> None:
    clock = FrozenClock()
    breaker, model = CircuitBreaker("modelled", rules, clock), Model(rules, clock.monotonic())
    running: list[tuple[Stay, int]] = []
    for step in steps:
        if step[0] == "wait":
            clock.advance(step[1])
            model.now = clock.monotonic()
        elif step[0] == "begin":
            expected = model.acquire()
            assert breaker.permits() is (expected is not None)
            if expected is None:
                with pytest.raises(CallNotPermitted):
                    breaker.acquire()
            else:
                running.append((breaker.acquire(), expected))
        elif running:
            stay, expected = running.pop(step[1] % len(running))
            failed, seconds = step[2], step[3]
            if failed is False:
                breaker.on_success(stay, seconds)
            else:
                breaker.on_error(stay, seconds, Unavailable() if failed else asyncio.CancelledError())
            model.result(expected, failed, seconds)
        model.settle()
        assert breaker.state is model.state
