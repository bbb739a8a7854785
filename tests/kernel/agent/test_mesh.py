"""Goal: calls between agents spread, stop and are refused as the policies say. Method: real gRPC servers with mTLS."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from ecosystem.kernel.agent.authorisation import names_checked
from ecosystem.kernel.agent.call import Call
from ecosystem.kernel.agent.card import AgentCard, AgentType, Limits, Prompt, Result, Task
from ecosystem.kernel.agent.client import AgentClient
from ecosystem.kernel.agent.handling import Handling
from ecosystem.kernel.agent.host import AgentHost
from ecosystem.kernel.agent.message import AgentFailed
from ecosystem.kernel.agent.server import AgentServer
from ecosystem.kernel.agent.settings import AgentSettings
from ecosystem.kernel.agent.transport import GrpcTransport
from ecosystem.kernel.errors import EcosystemError, Unavailable
from ecosystem.kernel.identity.authority import Authority
from ecosystem.kernel.resilience.errors import CallNotPermitted
from ecosystem.kernel.resilience.file import PolicyRefused
from ecosystem.kernel.resilience.policies import Policies
from ecosystem.kernel.telemetry import log as logging
from ecosystem.kernel.telemetry.metrics import Metrics
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.twins import MemoryInstance, MemoryRegistry, an_identity
from tests.support.poll import eventually

QUICK = '[routes."* -> *"]\nretry_wait_seconds = 0.001\n'


class Passed(Result):
    by: str


class Pass(Task, request_type="pass", result=Passed):
    """Goes along the chain."""


class Hold(Task, request_type="hold", result=Passed):
    """Is answered when the test says so."""


def a_card(agent_id: str, *callers: str) -> AgentCard:
    return AgentCard(
        id=agent_id, service=f"{agent_id}-service", type=AgentType.UTILITY, purpose="Tests.", tasks=(Pass, Hold),
        prompt=Prompt(system="You are a test."), callers=callers, limits=Limits(timeout_seconds=20),
    )  # fmt: skip


CARDS = {card.id: card for card in (a_card("a"), a_card("b", "a"), a_card("c", "b"), a_card("d", "c"))}
Work = Callable[[], Awaitable[str]]


class Mesh:
    """Services with one agent each, their servers, and a client for each; `calls` are the requests that were sent."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.authority = folder, Authority.open(folder / "authority")
        self.registry, self.clock = MemoryRegistry(), FrozenClock()
        self.file = folder / "policies.toml"
        self.file.write_text(QUICK)
        self.metrics = Metrics(CollectorRegistry())
        self.gate = asyncio.Event()
        self._servers: list[AgentServer] = []
        self._transports: list[GrpcTransport] = []

    def write_policies(self, text: str) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(QUICK + text)
        fresh.replace(self.file)
        self.clock.advance(1)

    def policies(self) -> Policies:
        return Policies(self.file, self.clock, metrics=self.metrics)

    def client(self, agent_id: str) -> AgentClient:
        policies = self.policies()
        identity = an_identity(self.authority, self.folder, f"{agent_id}-service")
        transport = GrpcTransport(self.registry, identity, policies, self.clock)
        self._transports.append(transport)
        return AgentClient(CARDS, transport, policies=policies, metrics=self.metrics)

    async def host(self, agent_id: str, work: Work, name: str | None = None) -> AgentServer:
        """One more instance of the agent's service."""

        async def passed(task: Pass, call: Call) -> Passed:
            return Passed(by=await work())

        async def hold(task: Hold, call: Call) -> Passed:
            await self.gate.wait()
            return Passed(by=name or agent_id)

        handling = Handling(
            [AgentHost(CARDS[agent_id], {Pass: passed, Hold: hold})], CARDS, policies=self.policies(),
            metrics=self.metrics,
        )  # fmt: skip
        identity = an_identity(self.authority, self.folder, f"{agent_id}-service")
        server = AgentServer(handling, identity, AgentSettings())
        port = await server.start()
        known = self.registry.known.setdefault(f"{agent_id}-service", [])
        known.append(MemoryInstance(name or agent_id, grpc_port=port))
        self._servers.append(server)
        return server

    def calls(self) -> int:
        samples = [sample for metric in self.metrics.agent_calls_total.collect() for sample in metric.samples]
        sent = [one for one in samples if one.name == "agent_calls_total"]
        return int(sum(one.value for one in sent if one.labels["code"] != CallNotPermitted.code))

    async def close(self) -> None:
        self.gate.set()
        for transport in self._transports:
            await transport.close()
        for server in self._servers:
            await server.stop(0)


@pytest.fixture(autouse=True)
def lines() -> Iterator[io.BytesIO]:
    """Thousands of refused calls are thousands of lines."""
    stream = io.BytesIO()
    logging.configure("mesh", stream=stream)
    yield stream
    logging.configure("mesh")


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[Mesh]:
    mesh = Mesh(tmp_path)
    yield mesh
    await mesh.close()


async def ask(client: AgentClient, sender: str, to: str, task: Task | None = None, **more: Any) -> str:
    answer: Any = await client.call(task or Pass(), to=to, sender=sender, **more)
    return str(answer.by)


async def a_chain(mesh: Mesh, last: Work) -> AgentClient:
    """a asks b, b asks c, c asks d, and each in between asks with all the attempts it can get."""
    for here, there in (("b", "c"), ("c", "d")):
        client = mesh.client(here)

        async def onward(client: AgentClient = client, here: str = here, there: str = there) -> str:
            return await ask(client, here, there, attempts=3)

        await mesh.host(here, onward)
    await mesh.host("d", last)
    return mesh.client("a")


async def requests(client: AgentClient, number: int) -> int:
    """How many of so many requests failed."""
    failed = 0
    for _ in range(number):
        try:
            await ask(client, "a", "b", attempts=3)
        except EcosystemError:
            failed += 1
    return failed


async def well() -> str:
    return "d"


async def dead() -> str:
    raise Unavailable


class TestChain:
    @pytest.mark.parametrize("breakers", ["", 'breaker = "none"\n'], ids=["breakers", "budget alone"])
    async def test_a_dead_last_agent_costs_at_most_a_fifth_more_calls(self, tmp_path: Path, breakers: str) -> None:
        healthy, broken = Mesh(tmp_path), Mesh(tmp_path)
        broken.file.write_text(QUICK + breakers)
        try:
            assert await requests(await a_chain(healthy, well), 10) == 0
            client = await a_chain(broken, dead)
            assert await requests(client, 10) == 10
            first = broken.calls()
            assert await requests(client, 490) == 490

            calls_each = healthy.calls() / 10
            assert calls_each == 3
            assert broken.calls() - first <= 1.2 * 490 * calls_each
        finally:
            await healthy.close()
            await broken.close()

    async def test_only_the_owner_of_the_operation_tries_again(self, mesh: Mesh) -> None:
        client = await a_chain(mesh, dead)

        await requests(client, 1)

        assert mesh.calls() == 3 * 3

    async def test_a_last_agent_that_is_gone_is_no_worse(self, mesh: Mesh) -> None:
        client = await a_chain(mesh, well)
        gone = mesh._servers[-1]
        await gone.stop(0)

        assert await requests(client, 200) == 200

        assert mesh.calls() <= 1.2 * 200 * 3 + 3 * 10 * 3


class TestInstances:
    async def test_one_that_keeps_failing_is_left_out_and_tried_again_later(self, mesh: Mesh) -> None:
        state = {"broken": True, "asked": 0}

        async def sometimes() -> str:
            state["asked"] += 1
            if state["broken"]:
                raise ValueError
            return "mended"

        await mesh.host("b", sometimes, "broken")
        await mesh.host("b", well, "well")
        client = mesh.client("a")
        assert await requests_once(client, 60) == 20

        asked = state["asked"]
        assert await requests_once(client, 60) == 0
        assert state["asked"] == asked

        state["broken"] = False
        mesh.clock.advance(30.001)
        assert await requests_once(client, 20) == 0
        assert state["asked"] >= asked + 3

    async def test_when_each_of_them_keeps_failing_nobody_is_asked(self, mesh: Mesh) -> None:
        async def broken() -> str:
            raise ValueError

        mesh.write_policies('breaker = "none"\n')
        await mesh.host("b", broken)
        client = mesh.client("a")
        await requests_once(client, 20)

        with pytest.raises(CallNotPermitted) as refused:
            await ask(client, "a", "b")

        assert refused.value.retry_after_seconds == pytest.approx(30, abs=1)

    async def test_one_that_answers_with_somebody_elses_failure_stays(self, mesh: Mesh) -> None:
        mesh.write_policies('breaker = "none"\n')
        await mesh.host("b", dead)
        client = mesh.client("a")

        assert await requests_once(client, 40) == 40

        with pytest.raises(AgentFailed):
            await ask(client, "a", "b")

    async def test_least_connections_asks_who_has_the_fewest_of_our_calls(self, mesh: Mesh) -> None:
        mesh.write_policies('[routes."a -> b"]\nbalance = "least_connections"\n')
        await mesh.host("b", named("one"), "one")
        await mesh.host("b", named("two"), "two")
        client = mesh.client("a")
        held = [asyncio.ensure_future(ask(client, "a", "b", Hold())) for _ in range(3)]
        await reached(client, 3)

        short = {await ask(client, "a", "b") for _ in range(4)}

        mesh.gate.set()
        busy = await asyncio.gather(*held)
        assert short == {"one", "two"} - {max(busy, key=busy.count)}

    async def test_weights_share_whatever_is_in_flight(self, mesh: Mesh) -> None:
        await mesh.host("b", named("one"), "one")
        await mesh.host("b", named("two"), "two")
        client = mesh.client("a")
        held = [asyncio.ensure_future(ask(client, "a", "b", Hold())) for _ in range(3)]
        await reached(client, 3)

        assert {await ask(client, "a", "b") for _ in range(4)} == {"one", "two"}
        mesh.gate.set()
        await asyncio.gather(*held)


class TestAuthorisation:
    async def code(self, client: AgentClient, task: Task | None = None) -> str:
        try:
            return await ask(client, "a", "b", task)
        except AgentFailed as refused:
            return refused.code

    async def test_a_pair_is_refused_for_a_task_within_a_second_and_allowed_again(self, mesh: Mesh) -> None:
        await mesh.host("b", well)
        client = mesh.client("a")
        mesh.gate.set()
        assert (await self.code(client), await self.code(client, Hold())) == ("d", "b")

        mesh.write_policies('[authorisation]\n"a -> b" = ["hold"]\n')
        assert (await self.code(client), await self.code(client, Hold())) == ("call_refused", "b")

        mesh.write_policies('[authorisation]\n"a -> b" = []\n')
        assert (await self.code(client), await self.code(client, Hold())) == ("call_refused", "call_refused")

        mesh.write_policies("")
        assert await self.code(client) == "d"

    async def test_what_no_card_names_may_be_allowed(self, mesh: Mesh) -> None:
        await mesh.host("d", well)
        client = mesh.client("a")
        with pytest.raises(AgentFailed) as refused:
            await ask(client, "a", "d")
        assert refused.value.code == "call_refused"

        mesh.write_policies('[authorisation]\n"a -> d" = ["*"]\n')

        assert await ask(client, "a", "d") == "d"

    async def test_a_service_may_not_speak_as_an_agent_of_another_whatever_is_allowed(self, mesh: Mesh) -> None:
        mesh.write_policies('[authorisation]\n"a -> d" = ["*"]\n')
        await mesh.host("d", well)

        with pytest.raises(AgentFailed) as refused:
            await ask(mesh.client("b"), "a", "d")

        assert refused.value.code == "call_refused"

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ('[authorisation]\n"a -> e" = []\n', "policies.toml:2: there is no agent 'e'"),
            ('[authorisation]\n"a-service -> b" = []\n', "policies.toml:2: a-service is a service, and agents ask."),
            ('[authorisation]\n"* -> *" = ["guess"]\n', "policies.toml:2: * does not know guess"),
            ('[authorisation]\n"a -> b" = ["guess"]\n', "policies.toml:2: b does not know guess"),
            ('[routes."* -> e"]\nattempts = 1\n', "policies.toml:1: there is no agent or service 'e'"),
        ],
    )
    def test_names_that_do_not_exist_are_refused_by_line(self, tmp_path: Path, text: str, told: str) -> None:
        (tmp_path / "policies.toml").write_text(text)

        with pytest.raises(PolicyRefused) as refused:
            Policies(tmp_path / "policies.toml", verify=names_checked(CARDS, ("a-service",)))

        assert told in refused.value.message


def named(name: str) -> Work:
    async def work() -> str:
        return name

    return work


async def requests_once(client: AgentClient, number: int) -> int:
    """How many of so many requests of one attempt each failed."""
    return sum([await one_fails(client) for _ in range(number)])


async def one_fails(client: AgentClient) -> bool:
    try:
        await ask(client, "a", "b")
    except EcosystemError:
        return True
    return False


async def reached(client: AgentClient, number: int) -> None:
    """Return when so many calls of the client are in flight."""
    transport: Any = client._transport

    async def in_flight() -> bool:
        return sum(peer.in_flight for peer in transport._peers.values()) == number

    await eventually(in_flight)
