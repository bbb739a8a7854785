"""Goal: the cache helps and never breaks a request. Method: a real Valkey, and one that is not there."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from ecosystem.kernel import context
from ecosystem.kernel.caching.cache import Cache
from ecosystem.kernel.caching.lifetimes import CacheKeyRefused, cache_key
from ecosystem.kernel.caching.settings import CacheSettings
from ecosystem.kernel.context import SlowWorkInUnitOfWork
from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.ids import SystemIds
from ecosystem.kernel.resilience.policies import Policies
from ecosystem.kernel.testing.clock import FrozenClock
from tests.support.engines import CacheEngine, short_folder
from tests.support.poll import PATIENCE_SECONDS

NOWHERE = "unix:///tmp/eco-no-cache/x.sock"
AMY = UUID("00000000-0000-7000-8000-00000000000a")
BOB = UUID("00000000-0000-7000-8000-00000000000b")


@pytest.fixture
async def cache(cache_engine: CacheEngine) -> AsyncIterator[Cache]:
    cache = Cache(CacheSettings.model_validate({"url": cache_engine.url, "sample_one_in": 2}))
    yield cache
    assert cache.client
    await cache.client.flushdb()
    await cache.close()


@pytest.fixture
def absent() -> Cache:
    return Cache(CacheSettings.model_validate({"url": NOWHERE}), policies=Policies(clock=FrozenClock()))


def a_key(kind: str = "doc") -> str:
    return cache_key(kind, SystemIds().uuid(), AMY)


class TestCache:
    async def test_value_comes_back_until_its_lifetime_ends(self, cache: Cache) -> None:
        key, brief = a_key(), a_key()
        assert await cache.get(key) is None

        assert await cache.set(key, b"\x00value")
        assert await cache.set(brief, b"brief", timedelta(milliseconds=1))

        assert await cache.get(key) == b"\x00value"
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await cache.get(brief):
                pass

    @pytest.mark.parametrize(("kind", "seconds"), [("threat", 900), ("auth", 3600), ("device", 86400), ("doc", 604800)])
    async def test_lifetime_follows_the_pattern(self, cache: Cache, kind: str, seconds: int) -> None:
        key = a_key(kind)
        await cache.set(key, b"value")

        assert cache.client
        assert seconds - 5 <= await cache.client.ttl(key) <= seconds

    async def test_deleted_value_is_gone(self, cache: Cache) -> None:
        key = a_key()
        await cache.set(key, b"value")

        assert await cache.delete(key)
        assert await cache.get(key) is None

    async def test_one_flight_for_all_who_ask_at_once(self, cache: Cache) -> None:
        key, loads, gate = a_key(), 0, asyncio.Event()

        async def load() -> bytes:
            nonlocal loads
            loads += 1
            await gate.wait()
            return b"loaded"

        asking = [asyncio.create_task(cache.get_or_load(key, load)) for _ in range(20)]
        await asyncio.sleep(0)
        asking[0].cancel()
        gate.set()
        answers = await asyncio.gather(*asking, return_exceptions=True)

        assert loads == 1
        assert answers[1:] == [b"loaded"] * 19
        assert await cache.get_or_load(key, load) == b"loaded"
        assert loads == 1

    async def test_failed_load_reaches_everyone_and_is_tried_anew(self, cache: Cache) -> None:
        key = a_key()

        async def fail() -> bytes:
            raise LookupError

        async def succeed() -> bytes:
            return b"loaded"

        answers = await asyncio.gather(*(cache.get_or_load(key, fail) for _ in range(3)), return_exceptions=True)

        assert [type(answer) for answer in answers] == [LookupError] * 3
        assert await cache.get_or_load(key, succeed) == b"loaded"

    async def test_who_has_more_time_than_whoever_asked_first_loads_again(self, cache: Cache) -> None:
        key, loads = a_key(), 0

        async def load() -> bytes:
            nonlocal loads
            loads += 1
            async with asyncio.timeout(context.remaining_seconds(PATIENCE_SECONDS)):
                await (asyncio.sleep(0) if loads > 1 else asyncio.Event().wait())
            return b"loaded"

        async def ask(seconds: float) -> bytes | None:
            with context.deadline_within(seconds):
                return await cache.get_or_load(key, load)

        hasty = [asyncio.create_task(ask(0.05))]
        await asyncio.sleep(0)
        patient = [asyncio.create_task(ask(PATIENCE_SECONDS)) for _ in range(10)]
        answers = await asyncio.gather(*hasty, *patient, return_exceptions=True)

        assert isinstance(answers[0], TimeoutError)
        assert answers[1:] == [b"loaded"] * 10
        assert loads == 2

    async def test_more_commands_at_once_than_connections_take_turns(self, cache_engine: CacheEngine) -> None:
        cache = Cache(
            CacheSettings.model_validate({"url": cache_engine.url, "connections_max": 2}), service="creditx-service"
        )
        keys = [a_key() for _ in range(100)]
        assert all(await asyncio.gather(*(cache.set(key, b"value") for key in keys)))

        assert await asyncio.gather(*(cache.get(key) for key in keys)) == [b"value"] * 100
        assert cache.statistics().failures == 0
        assert cache.client
        # One more for whoever asks about the server itself.
        assert int((await cache.client.info("clients"))["connected_clients"]) <= 3
        await cache.close()

    async def test_statistics_and_hot_keys(self, cache: Cache) -> None:
        key = a_key()
        await cache.set(key, b"value")
        for _ in range(4):
            await cache.get(key)
        await cache.get(a_key())

        statistics = cache.statistics()
        assert (statistics.hits, statistics.misses, statistics.hit_ratio) == (4, 1, 0.8)
        assert cache.client
        hour = (await cache.client.keys("hot:*"))[0]
        assert await cache.client.zscore(hour, key) == 4

    async def test_too_large_a_value_is_not_kept(self, cache_engine: CacheEngine) -> None:
        cache = Cache(CacheSettings.model_validate({"url": cache_engine.url, "value_bytes_max": 1024}))

        assert not await cache.set(a_key(), b"x" * 1025)
        await cache.close()


class TestRefusals:
    @pytest.mark.parametrize("key", ["", "doc", "doc:", f"doc:{AMY}:", f"nothing:{AMY}:1", "doc::1", "x" * 600])
    async def test_key_without_kind_company_and_name(self, cache: Cache, key: str) -> None:
        with pytest.raises(CacheKeyRefused):
            await cache.get(key)

    async def test_key_of_another_company(self, cache: Cache) -> None:
        key = cache_key("doc", 1, BOB)

        with context.scope(company_id=AMY):
            for call in (cache.get(key), cache.set(key, b""), cache.delete(key), cache.get_or_load(key, never)):
                with pytest.raises(CacheKeyRefused, match="another company"):
                    await call

    async def test_open_unit_of_work(self, cache: Cache) -> None:
        with context.scope(unit_of_work=True), pytest.raises(SlowWorkInUnitOfWork, match="cache"):
            await cache.get(a_key())


class TestAbsence:
    async def test_absent_cache_breaks_nothing_and_is_counted(self, absent: Cache) -> None:
        async def load() -> bytes:
            return b"loaded"

        assert await absent.get(a_key()) is None
        assert not await absent.set(a_key(), b"value")
        assert not await absent.delete(a_key())
        assert await absent.get_or_load(a_key(), load) == b"loaded"

        # After the first failure it is left alone for a while.
        assert absent.statistics().failures == 1
        with pytest.raises(Unavailable):
            await absent.ping()

    async def test_stuck_cache_costs_its_timeout_once(self) -> None:
        stuck = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = stuck.sockets[0].getsockname()[1]
        cache = Cache(CacheSettings.model_validate({
            "url": f"redis://127.0.0.1:{port}", "timeout_seconds": 0.05}),
            policies=Policies(clock=FrozenClock()))  # fmt: skip

        assert await cache.get(a_key()) is None
        assert await cache.get(a_key()) is None
        assert cache.statistics().failures == 1
        stuck.close()
        await cache.close()

    async def test_creditx_tries_twice_and_leaves_it_alone_after_five_failures(self) -> None:
        asked = 0

        async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            asked += 1
            writer.close()

        with short_folder("cache") as folder:
            server = await asyncio.start_unix_server(count, f"{folder}/x.sock")
            clock = FrozenClock()
            cache = Cache(
                CacheSettings.model_validate({"url": f"unix://{folder}/x.sock"}), service="creditx-service",
                policies=Policies(clock=clock),
            )  # fmt: skip

            for _ in range(10):
                assert await cache.get(a_key()) is None

            # Two attempts, two, and the fifth failure opens; redis-py itself connects anew once in each.
            assert (cache.statistics().failures, asked) == (3, 5 * 2)
            clock.advance(60.001)
            await cache.get(a_key())
            assert asked > 5 * 2
            server.close()
            await cache.close()

    async def test_connections_that_are_all_in_use_open_no_breaker(self, cache_engine: CacheEngine) -> None:
        """One write stands still on the only connection; reads are answered all the while."""
        cache = Cache(
            CacheSettings.model_validate({"url": cache_engine.url, "connections_max": 1, "timeout_seconds": 0.05}),
            service="creditx-service", policies=Policies(clock=FrozenClock()),
        )  # fmt: skip
        key = a_key()
        assert await cache.set(key, b"value")
        assert cache.client

        await cache.client.client_pause(60_000, all=False)
        try:
            written = await asyncio.gather(*(cache.set(key, b"other") for _ in range(20)))
        finally:
            await cache.client.client_unpause()

        assert written == [False] * 20
        assert cache.statistics().failures == 1
        assert await cache.get(key) == b"value"
        await cache.close()

    async def test_without_an_address_nothing_is_cached(self) -> None:
        cache = Cache(CacheSettings())

        assert not await cache.set(a_key(), b"value")
        assert await cache.get(a_key()) is None
        await cache.close()

    async def test_cut_connection_is_not_noticed(self, cache: Cache, cache_engine: CacheEngine) -> None:
        key = a_key()
        await cache.set(key, b"value")
        assert cache.client
        other = Cache(CacheSettings.model_validate({"url": cache_engine.url}))
        assert other.client
        await other.client.client_kill_filter(_type="normal", skipme=True)
        await other.close()

        assert await cache.get(key) == b"value"
        assert cache.statistics().failures == 0


async def never() -> bytes:
    raise AssertionError("called")
