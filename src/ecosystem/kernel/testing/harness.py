"""A whole kernel on a test's database, with services in this process: what a service's own tests stand on.

    @pytest.fixture
    async def harness(platform, tmp_path):
        async with KernelHarness(platform, tmp_path, ContractIndex(AGENTS, EVENTS)) as harness:
            yield harness

    async def test_it(harness):
        creditx = await harness.service(build, "creditx-service", "creditx")
        amy = creditx.client(a_principal(COMPANY, "documents:write"))
        answer = await amy.post("/v1/documents", files=…)
        await harness.settle()

Agents of services started here reach each other without a network, and policy, payloads, deadlines and recorded
answers are those of production.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import httpx

from ecosystem.kernel import context
from ecosystem.kernel.agent.card import Result, Task
from ecosystem.kernel.agent.handling import Handling
from ecosystem.kernel.agent.local import LocalTransport
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.errors import DatabaseUnavailable, UnitOfWorkTooLong
from ecosystem.kernel.http.door import Guards
from ecosystem.kernel.http.health import Health
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.identity.authority import Authority
from ecosystem.kernel.ids import Ids, SystemIds
from ecosystem.kernel.messaging.runner import ConsumerRunner, Round
from ecosystem.kernel.messaging.settings import MessagingSettings
from ecosystem.kernel.registry.registry import Registry
from ecosystem.kernel.runtime.assembly import Hosted, assemble
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.runtime.parts import World, make_kernel, make_policies
from ecosystem.kernel.runtime.service import Build, Kernel, Service
from ecosystem.kernel.settings import Source
from ecosystem.kernel.testing.twins import NamedPrincipals, an_identity

Overrides = Mapping[str, Mapping[str, Any]]
_SETTLE_SECONDS = 120.0
_ROUNDS_TOO_LONG_MAX = 9
_MASTER_KEY = "1:" + "5a" * 32 + "\n"
# What is due within this many seconds is waited for: retries of tasks come after one.
_SOON = "interval '1.5 seconds'"


class PlatformLike(Protocol):
    """The fixture `platform`."""

    def url(self, role: str) -> str: ...
    def database(self, schema: str, **changes: Any) -> Database: ...
    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]: ...


@dataclass
class ServiceHarness:
    """One service as a test sees it."""

    hosted: Hosted
    _principals: NamedPrincipals
    _runners: list[ConsumerRunner]
    _workers: list[asyncio.Task[None]] = field(default_factory=list)
    _clients: list[httpx.AsyncClient] = field(default_factory=list)

    @property
    def kernel(self) -> Kernel:
        return self.hosted.kernel

    @property
    def service(self) -> Service:
        return self.hosted.service

    def client(self, principal: Principal | None = None) -> httpx.AsyncClient:
        """A client against the service's routes, authenticated as `principal` (None: not at all)."""
        headers = {}
        if principal is not None:
            name = f"principal-{len(self._principals.principals)}"
            self._principals.principals[name] = principal
            headers["authorization"] = f"Bearer {name}"
        transport = httpx.ASGITransport(self.hosted.door, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://service.test", headers=headers)
        self._clients.append(client)
        return client

    async def job(self, name: str) -> None:
        """Run one tick of a job, now."""
        job = next(job for job in self.hosted.jobs if job.name == name)
        with context.scope(company_id=None):
            await job.run()

    async def consume(self) -> int:
        """One round over all slots of every consumer; how many events were handled."""
        handled = 0
        for runner in self._runners:
            await runner.register()
            seen = await _round(runner)
            while seen.more or seen.held or runner.is_half_way:
                handled += seen.handled
                seen = await _round(runner)
            handled += seen.handled
        return handled

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self.kernel.sandbox.close()
        await self.kernel.heavy_sandbox.close()
        await self.kernel.cache.close()


async def _round(runner: ConsumerRunner) -> Round:
    """As where it runs by itself: what took too long for one unit of work is tried again, in smaller pieces."""
    for _ in range(_ROUNDS_TOO_LONG_MAX):
        with contextlib.suppress(UnitOfWorkTooLong, DatabaseUnavailable):
            return await runner.round()
    return await runner.round()


class KernelHarness:
    """`overrides` are settings by section; `cache_url` is that of `cache_engine` (None: nothing is cached)."""

    def __init__(
        self, platform: PlatformLike, folder: Path, contracts: ContractIndex, *, cache_url: str | None = None,
        overrides: Overrides | None = None, clock: Clock | None = None, ids: Ids | None = None,
    ) -> None:  # fmt: skip
        self.platform, self.contracts, self._folder = platform, contracts, folder
        self.world = World(clock or SystemClock(), ids or SystemIds())
        self._overrides, self._cache_url = overrides or {}, cache_url
        self._handlings: dict[str, Handling] = {}
        self._services: dict[str, ServiceHarness] = {}
        self._stop = asyncio.Event()
        self._authority: Authority | None = None

    async def __aenter__(self) -> "KernelHarness":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        for service in self._services.values():
            await service.close()

    def source(self, schema: str) -> Source:
        """The settings of a service of this harness, as the fleet would give them."""
        master = self._folder / "master.key"
        if not master.exists():
            master.touch(mode=0o600)
            master.write_text(_MASTER_KEY)
        given: dict[str, dict[str, Any]] = {
            "database": {"url": self.platform.url(f"eco_{schema}")},
            "cache": {"url": self._cache_url} if self._cache_url else {},
            "keys": {"master_key_file": str(master)},
            "objects": {"folder": str(self._folder / "objects")},
            "messaging": {"poll_seconds": 0.05},
            "durable": {"poll_seconds": 0.1, "drain_seconds": 0.2},
        }
        return Source.load(overrides=given).with_overrides(self._overrides)

    def kernel(self, service: str, schema: str) -> Kernel:
        """A kernel as `build` gets it, whose agents are the services started here."""
        if self._authority is None:
            self._authority = Authority.open(self._folder / "authority")
        database, source = self.platform.database(schema), self.source(schema)
        return make_kernel(
            service, source, self.contracts, self.world, database=database,
            registry=Registry(database), policies=make_policies(source, self.contracts, self.world),
            identity=an_identity(self._authority, self._folder, service),
            transport=LocalTransport(service, self._handlings),
        )  # fmt: skip

    async def service(self, build: Build, name: str, schema: str, *, workers: bool = True) -> ServiceHarness:
        """Start a service here: routes, agents and workers at once, consumers and jobs when asked."""
        kernel = self.kernel(name, schema)
        principals = NamedPrincipals()
        health = Health(name, "test", "test", self.world.clock.now(), state="ready")
        hosted = assemble(kernel, build(kernel), self.contracts, Guards(principals), health)
        await kernel.database.open()
        for prepare in hosted.service.before_ready:
            await prepare()
        settings = kernel.source.get(MessagingSettings)
        runners = [ConsumerRunner(kernel.database, item, settings) for item in hosted.service.consumers]
        started = ServiceHarness(hosted, principals, runners)
        for runner in runners:
            await runner.register()
        if workers:
            started._workers = [asyncio.create_task(item.run(self._stop)) for item in hosted.service.workers]
        self._handlings[name] = hosted.handling
        self._services[name] = started
        return started

    async def call(
        self, task: Task, *, to: str, sender: str, company_id: UUID | None, request_id: str | None = None,
        attempts: int = 1,
    ) -> Result:  # fmt: skip
        """Ask an agent of a service started here, as the host of `sender` would."""
        service = self.contracts.agents[sender].service
        caller = self._services.get(service)
        kernel = caller.kernel if caller is not None else self.kernel(service, self._any_schema())
        with context.scope(company_id=company_id):
            return await kernel.agents.call(task, to=to, sender=sender, request_id=request_id, attempts=attempts)

    async def settle(self) -> None:
        """Return when no consumer has an event left and no worker a task that is due soon.

        Raises AssertionError, with what is still going on, when it seems to take for ever.
        """
        end = time.monotonic() + _SETTLE_SECONDS
        quiet = 0
        while quiet < 2:
            handled = 0
            for service in self._services.values():
                handled += await service.consume()
            busy = [name for name in self._queues() if self._pending(name)]
            quiet = 0 if handled or busy else quiet + 1
            if time.monotonic() > end:
                raise AssertionError(f"not settled within {_SETTLE_SECONDS} s: {handled} events, tasks in {busy}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 0.01)

    def events(self, event_type: str | None = None) -> list[tuple[Any, ...]]:
        """(type, subject, company_id, data) of every event in the log, in order of appending, past the fence."""
        where = "" if event_type is None else " where type = %s"
        values: Sequence[Any] = () if event_type is None else (event_type,)
        statement = f"select type, subject, company_id, data from kernel.log{where} order by xid, id"  # noqa: S608
        return self.platform.rows(statement, *values)

    def _queues(self) -> list[str]:
        return [worker.queue for item in self._services.values() if item._workers for worker in item.service.workers]

    def _pending(self, queue: str) -> bool:
        statement = (
            f"select 1 from absurd.r_{queue} where state in ('pending', 'running')"  # noqa: S608 a queue of the catalog
            f" or (state = 'sleeping' and available_at < clock_timestamp() + {_SOON}) limit 1"
        )
        return bool(self.platform.rows(statement))

    def _any_schema(self) -> str:
        return next(iter(self._services.values())).kernel.database.schema
