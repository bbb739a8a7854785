"""A circuit breaker with the semantics of resilience4j 2: rate windows, slow calls, counted trials.

The core is synchronous, reads an injected clock and has no thread: what time changes is noticed at the next call.
"""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TypeVar

from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.errors import Kind, describe
from ecosystem.kernel.resilience.errors import CallNotPermitted, Inconclusive
from ecosystem.kernel.resilience.rules import BreakerRules, SlidingWindowType, State
from ecosystem.kernel.resilience.window import CountWindow, RunWindow, TimeWindow, Window

T = TypeVar("T")

_OPEN_TO_ALL = frozenset({State.CLOSED, State.DISABLED, State.METRICS_ONLY})
_MOVES = frozenset({State.CLOSED, State.HALF_OPEN})


class Verdict(Enum):
    """What an error says of the destination. An UNRECORDED one counts as a success, an IGNORED one as nothing."""

    FAILURE = "failure"
    UNRECORDED = "unrecorded"
    IGNORED = "ignored"


def judge(error: BaseException) -> Verdict:
    """Transient and unknown errors are failures, a broken rule is an answer, a caller that gave up says nothing.

    A `TimeoutError` is a failure: it is how a time limiter ends a call.
    """
    if isinstance(error, Inconclusive) or not isinstance(error, Exception):
        return Verdict.IGNORED
    return Verdict.UNRECORDED if describe(error).kind is Kind.PERMANENT else Verdict.FAILURE


class Stay:
    """One stay in one state. Whoever is let in holds it, so that a late result finds where it belongs."""

    __slots__ = ("left", "opened", "state", "until", "window")

    def __init__(self, state: State, window: Window, *, left: int = 0, opened: int = 0, until: float = 0.0) -> None:
        self.state, self.window, self.left, self.opened, self.until = state, window, left, opened, until


class CircuitBreaker:
    """`name` is for logs and metrics. `open_seconds` tells the wait by how often it has opened; by default the rules'.

    `changed` is told (former, new) at each change of the state.
    """

    def __init__(
        self, name: str, rules: BreakerRules, clock: Clock | None = None, *,
        judge: Callable[[BaseException], Verdict] = judge, open_seconds: Callable[[int], float] | None = None,
        changed: Callable[[State, State], None] = lambda *_: None,
    ) -> None:  # fmt: skip
        self.name, self.rules = name, rules
        self._monotonic = (clock or SystemClock()).monotonic
        self._judge, self._open_seconds, self._changed = judge, open_seconds or rules.open_seconds, changed
        slow_seconds = rules.slow_call_duration_threshold_seconds
        in_a_row = rules.sliding_window_type is SlidingWindowType.CONSECUTIVE
        self._slow_seconds = float("inf") if slow_seconds is None or in_a_row else slow_seconds
        self.not_permitted = 0
        self._stay = Stay(State.CLOSED, self._new_window())
        if rules.initial_state is not State.CLOSED:
            self._stay = self._enter(rules.initial_state, opened=1 if rules.initial_state is State.OPEN else 0)

    @property
    def state(self) -> State:
        """An open breaker stays so until a call comes after its wait; only a half-open one can have timed out."""
        return self._present().state

    @property
    def window(self) -> Window:
        """What is remembered now; while the breaker is open, what opened it and the results that came late."""
        window = self._present().window
        window.settle()
        return window

    def acquire(self) -> Stay:
        """Be let in; give the result back with what this returns.

        Raises:
            CallNotPermitted: the breaker is open, or half-open with all its trials given away.
        """
        stay = self._stay
        if stay.state in _OPEN_TO_ALL:
            return stay
        stay = self._present()
        if stay.state is State.OPEN and self._monotonic() > stay.until:
            stay = self._move(State.HALF_OPEN, opened=stay.opened)
        if stay.state is State.HALF_OPEN and stay.left > 0:
            stay.left -= 1
            return stay
        if stay.state in _OPEN_TO_ALL:
            return stay
        self.not_permitted += 1
        raise CallNotPermitted(f"Calls to {self.name} are not let through.", retry_after_seconds=self.retry_after())

    def permits(self) -> bool:
        """Whether `acquire` would let a call in now; nothing changes."""
        stay = self._stay
        if stay.state in _OPEN_TO_ALL:
            return True
        stay = self._present()
        if stay.state is State.OPEN:
            return self._monotonic() > stay.until
        return stay.state is State.HALF_OPEN and stay.left > 0

    def retry_after(self) -> float:
        """Seconds until the next trial may be let in; where only a result can tell, one second."""
        stay = self._present()
        return max(stay.until - self._monotonic(), 0.001) if stay.state is State.OPEN else 1.0

    def on_success(self, stay: Stay, seconds: float) -> None:
        self.record(stay, seconds, failed=False)

    def on_error(self, stay: Stay, seconds: float, error: BaseException) -> None:
        verdict = self._judge(error)
        if verdict is Verdict.IGNORED:
            self.release(stay)
        else:
            self.record(stay, seconds, failed=verdict is Verdict.FAILURE)

    def record(self, stay: Stay, seconds: float, *, failed: bool) -> None:
        """The result of a call that was let in as `stay`, where whoever called has judged it."""
        state = stay.state
        if state is State.DISABLED:
            return
        stay.window.record(failed=failed, slow=seconds > self._slow_seconds)
        # Only the stay that lasts may end: the result of a call begun in an earlier one moves nothing.
        if stay is self._stay and state in _MOVES:
            if state is State.CLOSED:
                if stay.window.calls >= self.rules.calls_min and self._exceeds(stay.window):
                    self._move(State.OPEN, opened=stay.opened + 1)
            else:
                self._decide(self._present())

    def release(self, stay: Stay) -> None:
        """Give a permission back unused: it counts as nothing."""
        if stay.state is State.HALF_OPEN:
            stay.left += 1

    def transition_to(self, state: State) -> None:
        """Put the breaker into a state by hand. A new stay begins: CLOSED and METRICS_ONLY remember nothing."""
        opened = self._stay.opened
        self._move(state, opened=opened + 1 if state is State.OPEN else opened)

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """The async face: `work`, let in and recorded. Raises CallNotPermitted, and what `work` raises."""
        stay, began = self.acquire(), self._monotonic()
        try:
            result = await work()
        except BaseException as error:
            self.on_error(stay, self._monotonic() - began, error)
            raise
        self.record(stay, self._monotonic() - began, failed=False)
        return result

    def _decide(self, stay: Stay) -> None:
        """Whether the trials are good enough. A threshold of their own is a share of all that are permitted."""
        rules, window = self.rules, stay.window
        if stay.state is not State.HALF_OPEN:
            return
        own = rules.half_open_failure_rate_threshold
        if own is not None:
            if window.failed * 100 >= own * rules.permitted_number_of_calls:
                self._move(State.OPEN, opened=stay.opened + 1)
            elif window.calls >= rules.permitted_number_of_calls:
                exceeded = self._too_slow(window)
                self._move(State.OPEN if exceeded else State.CLOSED, opened=stay.opened + 1 if exceeded else 0)
        elif window.calls >= min(rules.calls_min, rules.permitted_number_of_calls):
            exceeded = self._exceeds(window)
            self._move(State.OPEN if exceeded else State.CLOSED, opened=stay.opened + 1 if exceeded else 0)

    def _exceeds(self, window: Window) -> bool:
        return window.failed * 100 >= self.rules.failure_rate_threshold * window.calls or self._too_slow(window)

    def _too_slow(self, window: Window) -> bool:
        return window.slow > 0 and window.slow * 100 >= self.rules.slow_call_rate_threshold * window.calls

    def _present(self) -> Stay:
        """The stay that lasts now: a half-open one that lasted too long has become an open one meanwhile."""
        stay = self._stay
        if stay.state is State.HALF_OPEN and stay.until and self._monotonic() >= stay.until:
            stay = self._move(State.OPEN, opened=stay.opened + 1, since=stay.until)
        return stay

    def _move(self, state: State, *, opened: int, since: float | None = None) -> Stay:
        former = self._stay.state
        self._stay = self._enter(state, opened=opened, since=since)
        if state is not former:
            self._changed(former, state)
        return self._stay

    def _enter(self, state: State, *, opened: int, since: float | None = None) -> Stay:
        rules, now = self.rules, self._monotonic() if since is None else since
        if state is State.OPEN:
            # Late results are remembered beside what opened it.
            return Stay(state, self._stay.window, opened=opened, until=now + self._open_seconds(opened))
        if state is State.HALF_OPEN:
            stay_seconds = rules.max_wait_duration_in_half_open_state_seconds
            trials = rules.permitted_number_of_calls
            until = now + stay_seconds if stay_seconds else 0.0
            return Stay(state, CountWindow(trials), left=trials, opened=opened, until=until)
        return Stay(state, self._new_window())

    def _new_window(self) -> Window:
        rules = self.rules
        if rules.sliding_window_type is SlidingWindowType.COUNT_BASED:
            return CountWindow(rules.sliding_window_size)
        if rules.sliding_window_type is SlidingWindowType.TIME_BASED:
            return TimeWindow(rules.sliding_window_size, self._monotonic)
        return RunWindow()
