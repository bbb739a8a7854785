"""One service as one process: the order of start, and the order of stop."""

import asyncio
import contextlib
import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ecosystem.kernel.agent.server import AgentServer
from ecosystem.kernel.agent.settings import AgentSettings
from ecosystem.kernel.agent.transport import GrpcTransport
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.http.door import Guards
from ecosystem.kernel.http.health import Health, answer
from ecosystem.kernel.http.peers import BasicExchange, JwksKeys, Peers
from ecosystem.kernel.http.server import HttpServer
from ecosystem.kernel.http.settings import HttpSettings
from ecosystem.kernel.http.tokens import TokenVerifier
from ecosystem.kernel.identity.identity import Identity, IdentityUnreadable
from ecosystem.kernel.identity.settings import IdentitySettings
from ecosystem.kernel.registry.instance import Instance
from ecosystem.kernel.registry.registry import Registry
from ecosystem.kernel.runtime.assembly import Hosted, assemble
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.runtime.parts import World, make_database, make_kernel, make_policies
from ecosystem.kernel.runtime.service import Build
from ecosystem.kernel.runtime.settings import RuntimeSettings
from ecosystem.kernel.runtime.watching import ParentLine, Watch, checks_of
from ecosystem.kernel.runtime.work import Work, keep
from ecosystem.kernel.settings import Source
from ecosystem.kernel.telemetry.export import SpanFile
from ecosystem.kernel.telemetry.log import log
from ecosystem.kernel.telemetry.metrics import METRICS

_RETRY_SECONDS_MAX = 2.0


@dataclass(frozen=True)
class Plan:
    """What a process is to be: an entry of the catalog, its settings and the contracts it must know.

    `agents_alone`: it answers what its agents are asked and leaves consumers, workers and jobs to the first deployment.
    """

    name: str
    schema: str
    needs: tuple[str, ...]
    version: str
    source: Source
    contracts: ContractIndex
    agents_alone: bool = False


class Process:
    """`start`, then `stop`. `drain_now` (a second signal) skips the wait for others to hear of the stop."""

    def __init__(self, plan: Plan, build: Build, parent: ParentLine, spans: SpanFile) -> None:
        self._plan, self._build, self._parent, self._spans = plan, build, parent, spans
        self._settings = plan.source.get(RuntimeSettings)
        self._world = World.real()
        self._instance_id: UUID = self._settings.instance_id or self._world.ids.uuid()
        self._started_at: datetime = self._world.clock.now()
        self._background: list[asyncio.Task[None]] = []
        self._ending = asyncio.Event()
        self.drain_now = asyncio.Event()
        self.health = Health(plan.name, plan.version, str(self._instance_id), self._started_at)
        self._compose()

    def _compose(self) -> None:
        plan = self._plan
        plan.contracts.refuse_unknown_backups()
        self._identity = Identity(plan.source.get(IdentitySettings), on_problem=_tell_identity)
        if self._identity.name != plan.name:
            raise IdentityUnreadable(f"The certificate is that of {self._identity.name}, not of {plan.name}.")
        self._database = make_database(plan.schema, plan.source, self._world)
        self._registry = Registry(self._database)
        policies = make_policies(plan.source, plan.contracts, self._world)
        self._transport = GrpcTransport(self._registry, self._identity, policies)
        self._peers = Peers(self._registry, self._identity)
        kernel = make_kernel(
            plan.name, plan.source, plan.contracts, self._world, database=self._database, registry=self._registry,
            policies=policies, identity=self._identity, transport=self._transport,
        )  # fmt: skip
        http = plan.source.get(HttpSettings)
        keys = JwksKeys(self._peers, refetch_seconds=http.keys_refetch_seconds)
        verifier = TokenVerifier(keys, skew_seconds=http.token_skew_seconds)
        guards = Guards(
            verifier, BasicExchange(self._peers, seconds=http.basic_cache_seconds), plan.contracts.http_callers,
            self._identity.is_revoked,
        )  # fmt: skip
        self._hosted: Hosted = assemble(kernel, self._build(kernel), plan.contracts, guards, self.health)
        self._http = HttpServer(
            self._hosted.door, http, context=self._identity.server_context(), trust_domain=self._identity.trust_domain
        )
        self._plain = HttpServer(_plain_app(self.health), http, context=None)
        self._agents = AgentServer(self._hosted.handling, self._identity, plan.source.get(AgentSettings))
        self._work = Work(self._hosted, agents_alone=plan.agents_alone)
        checks = checks_of(kernel)
        needs = {name: checks[name] for name in plan.needs if name in checks}
        self._watch = Watch(self.health, needs, self._registry, self._settings, self._tell)

    async def start(self, stop: asyncio.Event) -> None:
        """Open everything and be ready, or degraded with a reason; returns early where `stop` is set meanwhile."""
        self._tell("starting")
        await self._open_database(self._database, stop)
        if stop.is_set():
            return
        # Preparations may ask other services, so who is there must be known before them.
        await self._registry.open()
        for prepare in self._hosted.service.before_ready:
            await prepare()
        host, settings = self._settings.host, self._settings
        self._ports = {
            "http_port": await self._http.start(host, settings.http_port),
            "plain_port": await self._plain.start(host, settings.plain_port),
            "grpc_port": await self._agents.start(host, settings.grpc_port) if self._hosted.service.agents else 0,
        }
        good = await self._watch.look()
        self.health.state = "ready" if good else "unready"
        await self._registry.announce(self._instance())
        self._work.start()
        self._background = [
            asyncio.create_task(keep(name, run, self._ending), name=name)
            for name, run in (
                ("watch", self._watch.run),
                ("identity", self._watch_identity),
                ("spans", self._spans.run),
            )
        ]
        self._tell("ready" if good else "degraded", self.health.reason)
        log.info("service started", state=self.health.state, pid=os.getpid(), version=self._plan.version, **self._ports)

    async def stop(self) -> None:
        """Leave the registry's ready ones, wait until others know, end intake, finish what is in flight, be gone."""
        began = self._world.clock.monotonic()
        self._tell("draining")
        self.health.state = "draining"
        if self._background:
            await self._quietly(self._registry.set_state("draining", "planned stop"))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.drain_now.wait(), self._settings.drain_seconds)
        seconds = self._settings.stop_seconds
        await asyncio.gather(
            self._quietly(self._http.stop(seconds)),
            self._quietly(self._agents.stop(seconds)),
            self._quietly(self._work.stop(seconds)),
        )
        await asyncio.gather(self._quietly(self._registry.withdraw()), self._quietly(self._plain.stop(0)))
        self._ending.set()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._close()
        log.info("service stopped", seconds=round(self._world.clock.monotonic() - began, 3))
        self._tell("stopped")

    async def _close(self) -> None:
        kernel = self._hosted.kernel
        await self._quietly(self._peers.close())
        await self._quietly(self._transport.close())
        await self._quietly(kernel.sandbox.close())
        await self._quietly(kernel.heavy_sandbox.close())
        await self._quietly(kernel.cache.close())
        await self._quietly(self._registry.close())
        await self._quietly(self._database.close())

    async def _open_database(self, database: Database, stop: asyncio.Event) -> None:
        """Wait for the database as long as it takes, saying so: a supervisor decides whether that is too long."""
        pause = 0.1
        while not stop.is_set():
            try:
                await database.open()
                return
            except EcosystemError as error:
                if not error.retryable:
                    raise
                self._tell("starting", error.message)
                log.warning("waiting for the database", code=error.code)
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                pause = min(pause * 2, _RETRY_SECONDS_MAX)

    async def _watch_identity(self, stop: asyncio.Event) -> None:
        def expires() -> float:
            return self._identity.expires_at.timestamp()

        METRICS.certificate_expires_timestamp_seconds.set_function(expires)
        await self._identity.watch(stop)

    def _instance(self) -> Instance:
        now = self._world.clock.now()
        return Instance(
            self._instance_id, self._plan.name, self._settings.host, self._ports["http_port"],
            self._ports["grpc_port"], self._ports["plain_port"], os.getpid(), self._plan.version, self.health.state,
            self._settings.weight, self._started_at, now, self.health.reason,
        )  # fmt: skip

    def _tell(self, state: str, reason: str = "") -> None:
        facts: dict[str, Any] = {"instance_id": str(self._instance_id), "host": self._settings.host}
        facts |= getattr(self, "_ports", {})
        self._parent.say(state, reason, **facts)

    async def _quietly(self, step: Any) -> None:
        """A step of the stop that fails must not keep the next ones from happening."""
        try:
            await step
        except Exception as error:
            log.warning("a step of the stop failed", exc_info=error)


def _tell_identity(error: EcosystemError) -> None:
    log.error("what changed of the identities cannot be used; what was known stays", code=error.code, exc_info=error)


def _plain_app(health: Health) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Health and metrics without TLS, for probes and scrapers; nothing else, and no data."""
        if scope["type"] != "http":
            return
        path = scope["path"]
        known = path in ("/health", "/health/live", "/health/ready", "/metrics") and scope["method"] in ("GET", "HEAD")
        query = scope["query_string"].decode("latin-1")
        response = answer(path if known else "/health/live", health, METRICS, query)
        if not known:
            response.status_code = 404
        await response(scope, receive, send)

    return app
