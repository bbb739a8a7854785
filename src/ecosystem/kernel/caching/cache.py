"""Values by key, for the lifetime of the key's pattern; a failing cache is counted, logged and worked around."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ecosystem.kernel import context
from ecosystem.kernel.caching.lifetimes import LIFETIMES, CacheKeyRefused, parse
from ecosystem.kernel.caching.settings import CacheSettings
from ecosystem.kernel.errors import DeadlineExceeded, Unavailable
from ecosystem.kernel.resilience.errors import BulkheadFull, NotTried
from ecosystem.kernel.resilience.policies import Policies
from ecosystem.kernel.resilience.policy import Policy
from ecosystem.kernel.telemetry.log import log
from ecosystem.kernel.telemetry.metrics import METRICS, Metrics

HOT_KEYS = "hot"
"""A sorted set for each hour, `hot:<hours since 1970>`: sampled reads by key. It holds keys, which hold ids."""

DESTINATION = "cache"
_HOT_SECONDS = 2 * 3600
_EARLY_SECONDS = 0.01
"""What ends at a deadline ends so much before it at most: timers count whole milliseconds."""
_FAILURES = (redis.exceptions.RedisError, OSError, TimeoutError)


@dataclass(frozen=True)
class CacheStatistics:
    """Since the start of this process; `hit_ratio` is None before the first read."""

    hits: int
    misses: int
    failures: int
    hit_ratio: float | None


@dataclass(frozen=True)
class _Flight:
    """A value that is being loaded, in the time of whoever asked first: `deadline` is theirs."""

    value: asyncio.Future[bytes | None]
    deadline: float


class Cache:
    """Reads and writes follow the policy of the route `service -> cache`: attempts, time-out, when to leave it alone.

    One command waits for `timeout_seconds` of the settings at most; the route's time-out is for all its attempts.
    Before them it waits as long at most for one of the connections: that all are in use says nothing of the cache.
    """

    def __init__(
        self,
        settings: CacheSettings,
        lifetimes: Mapping[str, timedelta] = LIFETIMES,
        *,
        service: str = "",
        policies: Policies | None = None,
        metrics: Metrics = METRICS,
    ) -> None:
        self._settings, self._metrics = settings, metrics
        self._service, self._policies = service, policies or Policies(metrics=metrics)
        self.lifetimes = dict(lifetimes)
        self._client = _client(settings)
        self._free_connections = asyncio.Semaphore(settings.connections_max)
        self._flights: dict[str, _Flight] = {}
        self._hits = self._misses = self._failures = self._reads = 0

    @property
    def client(self) -> "redis.asyncio.Redis | None":
        """For whoever asks the server about itself; it raises what redis-py raises."""
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            with contextlib.suppress(*_FAILURES):
                await self._client.aclose()

    async def ping(self) -> None:
        """Raises Unavailable where the cache does not answer, or there is none."""
        try:
            if self._client is None:
                raise Unavailable("No cache is configured.", suggestion="Set cache.url.")
            async with asyncio.timeout(self._settings.timeout_seconds):
                await self._client.ping()
        except _FAILURES as error:
            raise Unavailable("The cache did not answer.") from error

    async def get(self, key: str) -> bytes | None:
        """The value, or None where it is not cached, or the cache fails."""
        self._check(key)
        value = await self._attempt("get", lambda client: client.get(key))
        if value is None:
            self._misses += 1
        else:
            self._hits += 1
        self._metrics.cache_hit_ratio.set(self._hits / (self._hits + self._misses))
        self._reads += 1
        if self._reads % self._settings.sample_one_in == 0:
            await self._sample(key)
        return value if value is None else bytes(value)

    async def set(self, key: str, value: bytes, ttl: timedelta | None = None) -> bool:
        """Keep `value` for `ttl`, or the lifetime of the key's pattern; whether it is kept."""
        lifetime = self._check(key)
        if len(value) > self._settings.value_bytes_max:
            return False
        milliseconds = max(int((ttl or lifetime).total_seconds() * 1000), 1)
        return bool(await self._attempt("set", lambda client: client.set(key, value, px=milliseconds)))

    async def delete(self, key: str) -> bool:
        """Whether the cache has forgotten it; a failure leaves it there until its lifetime ends."""
        self._check(key)
        return await self._attempt("delete", lambda client: client.delete(key)) is not None

    async def get_or_load(
        self, key: str, load: Callable[[], Awaitable[bytes | None]], ttl: timedelta | None = None
    ) -> bytes | None:
        """The cached value, else that of `load`, which runs once for all who ask at the same time in this process.

        None is not cached. What `load` raises reaches everyone who waits for it; but where it ran out of the time of
        whoever asked first, those who have more load again.
        """
        self._check(key)
        deadline = context.current().deadline or math.inf
        while True:
            flight = self._flights.get(key) or self._begin(key, load, ttl, deadline)
            try:
                # Shielded: one who gives up does not take the value away from the others.
                return await asyncio.shield(flight.value)
            except Exception:
                if deadline <= flight.deadline or time.monotonic() < flight.deadline - _EARLY_SECONDS:
                    raise

    def statistics(self) -> CacheStatistics:
        asked = self._hits + self._misses
        return CacheStatistics(self._hits, self._misses, self._failures, self._hits / asked if asked else None)

    def _begin(
        self, key: str, load: Callable[[], Awaitable[bytes | None]], ttl: timedelta | None, deadline: float
    ) -> _Flight:
        value = asyncio.ensure_future(self._fly(key, load, ttl))
        value.add_done_callback(lambda done: (self._flights.pop(key, None), done.cancelled() or done.exception()))
        flight = self._flights[key] = _Flight(value, deadline)
        return flight

    async def _fly(self, key: str, load: Callable[[], Awaitable[bytes | None]], ttl: timedelta | None) -> bytes | None:
        value = await self.get(key)
        if value is None and (value := await load()) is not None:
            await self.set(key, value, ttl)
        return value

    def _check(self, key: str) -> timedelta:
        """The lifetime of the key. Raises CacheKeyRefused, SlowWorkInUnitOfWork: our own mistakes."""
        context.refuse_in_unit_of_work("The cache")
        kind = parse(key).kind
        if kind not in self.lifetimes:
            raise CacheKeyRefused(
                f"There is no kind of cache key {kind!r}; there are {', '.join(sorted(self.lifetimes))}."
            )
        return self.lifetimes[kind]

    async def _sample(self, key: str) -> None:
        name = f"{HOT_KEYS}:{int(time.time() // 3600)}"

        async def count(client: "redis.asyncio.Redis") -> Any:
            async with client.pipeline(transaction=False) as pipe:
                pipe.zincrby(name, self._settings.sample_one_in, key)
                pipe.expire(name, _HOT_SECONDS)
                return await pipe.execute()

        await self._attempt("sample", count)

    async def _attempt(self, operation: str, command: "Callable[[redis.asyncio.Redis], Awaitable[Any]]") -> Any:
        client = self._client
        if client is None:
            return None

        async def once(_: int) -> Any:
            async with asyncio.timeout(self._settings.timeout_seconds):
                return await command(client)

        policy = self._policies.policy(self._service, DESTINATION)
        try:
            async with self._connection(policy):
                return await policy.call(once)
        except NotTried:
            # Known to fail, or busy: nobody waits for it any longer.
            return None
        except (*_FAILURES, DeadlineExceeded) as error:
            self._failures += 1
            self._metrics.cache_failures_total.labels(operation).inc()
            log.warning("the cache failed; work goes on without it", operation=operation, reason=type(error).__name__)
            return None

    @contextlib.asynccontextmanager
    async def _connection(self, policy: Policy) -> AsyncIterator[None]:
        """Hold one of the connections. Raises BulkheadFull; DeadlineExceeded, as nothing should be begun."""
        try:
            async with asyncio.timeout(context.remaining_seconds(self._settings.timeout_seconds)):
                await self._free_connections.acquire()
        except TimeoutError:
            self._metrics.calls_not_permitted_total.labels(policy.name, BulkheadFull.code).inc()
            raise BulkheadFull("Every connection to the cache is in use.") from None
        try:
            yield
        finally:
            self._free_connections.release()


def _client(settings: CacheSettings) -> "redis.asyncio.Redis | None":
    if settings.url is None:
        return None
    client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
        settings.url.get_secret_value(),
        socket_timeout=settings.timeout_seconds,
        socket_connect_timeout=settings.timeout_seconds,
        # A connection that died at rest is made anew at once; a server that is away is not waited for.
        retry=Retry(NoBackoff(), 1),
        protocol=2,
    )
    return client
