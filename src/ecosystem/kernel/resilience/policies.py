"""The policies of this process: which one a route has, taken up anew while it runs when their file changes."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.resilience.file import INSTANCE, PoliciesGone, PolicyRefused, Rulebook, combine, read
from ecosystem.kernel.resilience.policy import Policy
from ecosystem.kernel.resilience.rules import BreakerRules, RouteRules
from ecosystem.kernel.telemetry.log import log
from ecosystem.kernel.telemetry.metrics import METRICS, Metrics

LOOK_SECONDS = 1.0
_ROUTES_MAX = 10_000

_Stamp = tuple[int, int, int]


class Policies:
    """`path` may be a file that is not there yet. `verify` may raise PolicyRefused for names that do not exist.

    A call looks at the file at most once in `LOOK_SECONDS`; there is no thread and no task. What was right is copied to
    `kept`, which a process goes on with that finds the file wrong when it starts. Raises PolicyRefused where nothing
    right was kept either.
    """

    def __init__(
        self, path: Path | None = None, clock: Clock | None = None, *, metrics: Metrics = METRICS,
        verify: Callable[[Rulebook], None] = lambda _: None, kept: Path | None = None,
    ) -> None:  # fmt: skip
        self._path, self._clock, self._metrics, self._verify = path, clock or SystemClock(), metrics, verify
        self._kept = kept
        self._monotonic = self._clock.monotonic
        self._stamp: _Stamp | None = self._look()
        self._book = self._begin()
        self._routes: dict[tuple[str, str], Policy] = {}
        self._made: dict[tuple[str, str], Policy] = {}
        self._look_at = self._monotonic() + LOOK_SECONDS
        self.generation = 1

    @property
    def instance(self) -> BreakerRules:
        """The breaker of one instance of a service."""
        self.refresh()
        return self._book.breakers[INSTANCE]

    def policy(
        self, caller: str, destination: str, *, callers: tuple[str, ...] = (), destinations: tuple[str, ...] = (),
        timeout_seconds: float | None = None,
    ) -> Policy:  # fmt: skip
        """How `caller` calls `destination`; the same object each time, so that its breaker and its limits remember.

        `callers` and `destinations` are what else they go by, nearest first: an agent's service. `timeout_seconds` is
        what the destination itself allows.
        """
        policy = self.known(caller, destination)
        if policy is None:
            if len(self._routes) > _ROUTES_MAX:
                self._routes.clear()
            policy = self._make((caller, *callers, "*"), (destination, *destinations, "*"), timeout_seconds)
            self._routes[caller, destination] = policy
        return policy

    def known(self, caller: str, destination: str) -> Policy | None:
        """What `policy` returned before, as long as that holds: whoever calls often need not say all again."""
        if self._monotonic() >= self._look_at:
            self.refresh()
        return self._routes.get((caller, destination))

    def tasks_allowed(self, sender: str, target: str) -> frozenset[str] | None:
        """The tasks that the file allows this pair, its own line before one with `*`; None where it says nothing."""
        if self._monotonic() >= self._look_at:
            self.refresh()
        allowed = self._book.authorisation
        for pair in ((sender, target), (sender, "*"), ("*", target), ("*", "*")) if allowed else ():
            if pair in allowed:
                return allowed[pair]
        return None

    def refresh(self) -> None:
        """Take a changed file up. One that is wrong is logged once, and what held before goes on."""
        self._look_at = self._monotonic() + LOOK_SECONDS
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            book = self._read()
        except PolicyRefused as error:
            self._refused(error)
            return
        self._metrics.policies_refused.set(0)
        self._keep()
        if book == self._book:
            return
        self._book, self._routes = book, {}
        self.generation += 1
        log.info("policies taken up", generation=self.generation)

    def _make(self, callers: tuple[str, ...], destinations: tuple[str, ...], limit: float | None) -> Policy:
        caller, rules = self._find(callers, destinations)
        timeouts = [seconds for seconds in (rules.timeout_seconds, limit) if seconds is not None]
        timeout = min(timeouts) if timeouts else None
        breaker = rules.breaker.within(timeout) if rules.breaker else None
        rules = rules.model_copy(update={"timeout_seconds": timeout, "breaker": breaker})
        key = (caller, destinations[0])
        made = self._made.get(key)
        if made is not None and made.rules == rules:
            return made
        policy = Policy(f"{caller} -> {destinations[0]}", rules, self._clock, metrics=self._metrics)
        if made is not None and made.breaker is not None and made.rules.breaker == breaker:
            # Who changes a time-out does not want an open breaker to close.
            policy.breaker = made.breaker
        self._made[key] = policy
        return policy

    def _find(self, callers: tuple[str, ...], destinations: tuple[str, ...]) -> tuple[str, RouteRules]:
        for caller in callers:
            for destination in destinations:
                rules = self._book.routes.get((caller, destination))
                if rules is not None:
                    return caller, rules
        raise LookupError("the shipped policies have a route for everything")

    def _begin(self) -> Rulebook:
        try:
            book = self._read()
        except PolicyRefused as error:
            if self._kept is None or not self._kept.exists():
                raise
            book = combine(read(self._kept))
            self._verify(book)
            self._refused(error)
            return book
        self._keep()
        return book

    def _refused(self, error: PolicyRefused) -> None:
        self._metrics.policies_refused.set(1)
        log.error("policies refused; the former ones hold", reason=error.message)

    def _keep(self) -> None:
        """Several processes do this: each writes a file of its own and puts it in place whole."""
        if self._kept is None or self._path is None:
            return
        fresh = self._kept.with_name(f"{self._kept.name}.{os.getpid()}")
        with suppress(OSError):
            if self._stamp is None:
                self._kept.unlink(missing_ok=True)
            else:
                fresh.write_bytes(self._path.read_bytes())
                fresh.replace(self._kept)

    def _read(self) -> Rulebook:
        own = None
        if self._path is not None and self._stamp is not None:
            # It may be taken away between the look and the reading.
            with suppress(PoliciesGone):
                own = read(self._path)
        book = combine(own)
        self._verify(book)
        return book

    def _look(self) -> _Stamp | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size
