"""Goal: everyone knows who is here, also while the database is away. Method: real registries, killed connections."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import exc

from ecosystem.kernel.ids import SystemIds
from ecosystem.kernel.registry.instance import Instance
from ecosystem.kernel.registry.registry import Registry
from tests.kernel.db.fixtures import Platform
from tests.support.poll import PATIENCE_SECONDS, eventually

CREDITX = "creditx-service"


def an_instance(service: str = CREDITX, **changes: Any) -> Instance:
    now = datetime.now(UTC)
    instance = Instance(SystemIds().uuid(), service, "127.0.0.1", 1, 2, 3, 4, "0.1", "starting", 100, now, now)
    return replace(instance, **changes)


class InterruptedLook(Registry):
    """Once, something happens after a look was taken, and its NOTIFY arrives with an answer of the same connection."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def _look(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await super()._look(connection)
        if self.meanwhile:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
            await connection.execute("select 1")


@pytest.fixture
async def registry_of(platform: Platform) -> AsyncIterator[Callable[[str], Registry]]:
    made: list[Registry] = []

    def make(schema: str) -> Registry:
        made.append(Registry(platform.database(schema), poll_seconds=0.05))
        return made[-1]

    yield make
    for registry in made:
        await registry.close()


def states(registry: Registry, service: str = CREDITX) -> list[str]:
    return [instance.state for instance in registry.instances(service)]


async def until(registry: Registry, expected: list[str], service: str = CREDITX) -> None:
    async def look() -> bool:
        return states(registry, service) == expected

    await eventually(look)
    assert states(registry, service) == expected


class TestAnnouncing:
    async def test_others_see_it_with_its_ports_and_state(self, registry_of: Callable[[str], Registry]) -> None:
        creditx, gateway = registry_of("creditx"), registry_of("gateway")
        await gateway.open()
        instance = an_instance()

        await creditx.announce(instance)
        await until(gateway, ["starting"])
        await creditx.beat("ready")
        await until(gateway, ["ready"])

        seen = gateway.ready(CREDITX)[0]
        assert (seen.instance_id, seen.http_port, seen.grpc_port) == (instance.instance_id, 1, 2)
        assert gateway.ready("authn-service") == ()

    async def test_draining_is_told_at_once_and_withdrawal_too(
        self, registry_of: Callable[[str], Registry], platform: Platform
    ) -> None:
        creditx, gateway = registry_of("creditx"), Registry(platform.database("gateway"), poll_seconds=3600)
        try:
            await gateway.open()
            await creditx.announce(an_instance(state="ready"))
            await until(gateway, ["ready"])

            await creditx.set_state("draining", "a planned stop")
            await until(gateway, ["draining"])
            assert gateway.instances(CREDITX)[0].reason == "a planned stop"

            await creditx.withdraw()
            await until(gateway, [])
        finally:
            await gateway.close()

    async def test_change_before_a_watcher_waits_is_not_missed(self, registry_of: Callable[[str], Registry]) -> None:
        creditx, gateway = registry_of("creditx"), registry_of("gateway")
        await gateway.open()
        changes = gateway.watch()

        await creditx.announce(an_instance(state="ready"))
        await until(gateway, ["ready"])
        await asyncio.wait_for(anext(changes), PATIENCE_SECONDS)

        assert states(gateway) == ["ready"]

    async def test_change_that_is_told_with_the_answer_of_a_look_is_seen(
        self, registry_of: Callable[[str], Registry], platform: Platform
    ) -> None:
        creditx, gateway = registry_of("creditx"), InterruptedLook(platform.database("gateway"), poll_seconds=3600)
        try:
            await creditx.announce(an_instance(state="ready"))
            await gateway.open()
            gateway.meanwhile = lambda: creditx.set_state("draining")

            await gateway.refresh()
            await until(gateway, ["draining"])

            assert gateway.meanwhile is None
        finally:
            await gateway.close()

    async def test_service_speaks_for_itself_only(
        self, registry_of: Callable[[str], Registry], platform: Platform
    ) -> None:
        creditx, gateway = registry_of("creditx"), registry_of("gateway")
        ours = an_instance()
        await creditx.announce(ours)

        with pytest.raises(exc.ProgrammingError, match="may not announce"):
            await gateway.announce(an_instance(CREDITX))
        stranger = registry_of("gateway")
        await stranger.announce(an_instance("gateway-service", instance_id=ours.instance_id))
        await stranger.beat("draining")

        assert platform.rows("select service, state from kernel.instances") == [(CREDITX, "starting")]

    async def test_change_wakes_a_watcher_and_a_beat_does_not(self, registry_of: Callable[[str], Registry]) -> None:
        creditx, gateway = registry_of("creditx"), registry_of("gateway")
        await gateway.open()
        changes = gateway.watch()
        first = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)

        await creditx.announce(an_instance(state="ready"))
        await asyncio.wait_for(first, PATIENCE_SECONDS)
        second = asyncio.ensure_future(anext(changes))
        for _ in range(3):
            await creditx.beat("ready")
            await gateway.refresh()

        assert not second.done()
        await creditx.beat("unready", "cache")
        await asyncio.wait_for(second, PATIENCE_SECONDS)
        await changes.aclose()


class TestAbsence:
    async def test_dead_process_is_gone_at_the_next_look(
        self, registry_of: Callable[[str], Registry], platform: Platform
    ) -> None:
        creditx, gateway = registry_of("creditx"), registry_of("gateway")
        await gateway.open()
        await creditx.announce(an_instance(state="ready"))
        await until(gateway, ["ready"])

        await creditx.close()

        await until(gateway, [])
        assert platform.rows("select count(*) from kernel.instances") == [(1,)]

    async def test_instance_without_a_beat_is_not_returned(
        self, registry_of: Callable[[str], Registry], platform: Platform
    ) -> None:
        creditx, gateway = registry_of("creditx"), registry_of("gateway")
        await gateway.open()
        await creditx.announce(an_instance(state="ready"))
        await until(gateway, ["ready"])

        platform.rows("update kernel.instances set beat_at = clock_timestamp() - interval '16 seconds'")
        await until(gateway, [])
        await creditx.beat("ready")
        await until(gateway, ["ready"])
        assert len(gateway.ready(CREDITX)) == 1

    async def test_snapshot_survives_the_database(
        self, registry_of: Callable[[str], Registry], platform: Platform
    ) -> None:
        creditx, gateway = registry_of("creditx"), registry_of("gateway")
        await gateway.open()
        await creditx.announce(an_instance(state="ready"))
        await until(gateway, ["ready"])

        # The whole absence in one stroke: connections dead, every beat too old when it comes back.
        platform.rows("update kernel.instances set beat_at = clock_timestamp() - interval '10 minutes'")
        platform.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename in ('eco_creditx', 'eco_gateway')"
        )
        for _ in range(5):
            await gateway.refresh()
            assert states(gateway) == ["ready"]

        await creditx.beat("ready")
        await until(gateway, ["ready"])

    async def test_forgotten_instance_announces_itself_again(
        self, registry_of: Callable[[str], Registry], platform: Platform
    ) -> None:
        creditx = registry_of("creditx")
        instance = an_instance(state="ready")
        await creditx.announce(instance)
        platform.rows("delete from kernel.instances")

        await creditx.beat("ready")

        assert platform.rows("select instance_id, state from kernel.instances") == [(instance.instance_id, "ready")]

    async def test_one_connection_serves_it(self, registry_of: Callable[[str], Registry], platform: Platform) -> None:
        creditx = registry_of("creditx")
        await creditx.announce(an_instance())
        for _ in range(5):
            await creditx.refresh()
            await creditx.beat("ready")

        assert platform.rows("select count(*) from pg_stat_activity where usename = 'eco_creditx'") == [(2,)]
