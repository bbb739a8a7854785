"""Goal: an agent answers every request, and refuses by name. Method: the handling itself, free of transport."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from ecosystem.kernel import context
from ecosystem.kernel.agent.balance import Balancer
from ecosystem.kernel.agent.card import Fallback, Limits, Task
from ecosystem.kernel.agent.client import AgentClient
from ecosystem.kernel.agent.codec import decode_request, decode_response, encode_request, encode_response
from ecosystem.kernel.agent.handling import Handling
from ecosystem.kernel.agent.host import AgentHost
from ecosystem.kernel.agent.local import LocalTransport
from ecosystem.kernel.agent.message import (
    AgentFailed,
    AgentRequest,
    AgentResponse,
    Caller,
    NoInstance,
    RequestInvalid,
    Status,
)
from ecosystem.kernel.agent.settings import AgentSettings
from ecosystem.kernel.agent.wire import agent_pb2
from ecosystem.kernel.errors import DeadlineExceeded, EcosystemError, Kind, Unavailable
from ecosystem.kernel.resilience.policies import Policies
from ecosystem.kernel.telemetry import log as logging
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.twins import MemoryInstance
from tests.kernel.runtime.small import AGENTS, COMPANY, NAME, SMALL, Measure, Measured, Note, card

HOST = Caller(service="postgres-service")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def a_request(**changes: Any) -> AgentRequest:
    values: dict[str, Any] = {
        "request_id": "r1", "from_agent_id": "asking-agent", "to_agent_id": "small-agent", "request_type": "measure",
        "payload": b'{"text_id": "four"}', "timeout_ms": 1000,
    }  # fmt: skip
    return AgentRequest(**values | changes)


async def measure(task: Measure, _: Any) -> Measured:
    if task.ask == "sleep":
        await asyncio.Event().wait()
    if task.ask == "crash":
        raise ValueError(f"secret of {task.text_id}")
    return Measured(length=len(task.text_id))


def a_handling(**settings: Any) -> Handling:
    host = AgentHost(SMALL, {Measure: measure, Note: measure})
    return Handling([host], AGENTS, settings=AgentSettings(**settings))


async def code_of(request: AgentRequest, caller: Caller = HOST, **settings: Any) -> str:
    response = await a_handling(**settings).handle(request, caller)
    assert response.result is None
    assert response.failure
    return response.failure.code


async def test_an_answer() -> None:
    response = await a_handling().handle(a_request(), HOST)

    assert (response.status, response.result, response.failure) == (Status.SUCCESS, b'{"length":4}', None)


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b"{", "payload: Invalid JSON"),
        (b"[]", "payload"),
        (b"\xff", "payload"),
        (b"{}", "text_id: Field required"),
        (b'{"text_id": 1}', "text_id: "),
        (b'{"text_id": "x", "colour": "a\'; drop table"}', "colour: Extra inputs"),
    ],
)
async def test_a_bad_payload_names_field_and_rule(payload: bytes, told: str) -> None:
    response = await a_handling().handle(a_request(payload=payload), HOST)

    assert response.failure
    assert response.status is Status.FAILURE
    assert response.failure.code == "payload_invalid"
    assert told in response.failure.message
    assert "drop table" not in response.failure.message


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to_agent_id": "nobody"}, "unknown_agent"),
        ({"request_type": "guess"}, "unknown_request_type"),
        ({"payload": b'{"text_id": "' + b"x" * 5000 + b'"}'}, "payload_too_large"),
        ({"request_id": ""}, "request_invalid"),
        ({"request_id": "x" * 201}, "request_invalid"),
        ({"request_id": "a\nb"}, "request_invalid"),
        ({"timeout_ms": 0}, "deadline_exceeded"),
        ({"attempt": 0}, "request_invalid"),
        ({"from_agent_id": "small-agent"}, "call_refused"),
    ],
)
async def test_a_bad_request_is_refused_by_name(changes: dict[str, Any], code: str) -> None:
    assert await code_of(a_request(**changes), payload_bytes_max=4096) == code


class TestPolicy:
    async def test_a_backup_speaks_as_the_agents_of_its_service_and_as_no_other(self) -> None:
        asking = AGENTS["asking-agent"].model_copy(update={"fallback": Fallback(backup="postgres-backup")})
        handling = Handling([AgentHost(SMALL, {Measure: measure, Note: measure})], AGENTS | {"asking-agent": asking})
        first, backup, other = [
            (await handling.handle(a_request(), Caller(service=name))).status
            for name in ("postgres-service", "postgres-backup", "creditx-backup")
        ]

        assert (first, backup, other) == (Status.SUCCESS, Status.SUCCESS, Status.FAILURE)

    async def test_another_service_may_not_speak_as_the_agent(self) -> None:
        assert await code_of(a_request(), Caller(service="creditx-service")) == "call_refused"

    async def test_a_client_speaks_only_as_its_agents(self) -> None:
        client = Caller(client_id="c", agents=frozenset({"partner-agent"}))

        assert await code_of(a_request(), client) == "call_refused"
        answer = await a_handling().handle(a_request(from_agent_id="partner-agent"), client)
        assert answer.status is Status.SUCCESS

    async def test_an_agent_closed_to_clients_refuses_them(self) -> None:
        closed = card("closed-agent", NAME, Measure)
        handling = Handling([AgentHost(closed, {Measure: measure})], AGENTS | {closed.id: closed})
        client = Caller(client_id="c", agents=frozenset({"asking-agent"}))

        response = await handling.handle(a_request(to_agent_id="closed-agent"), client)

        assert response.failure
        assert response.failure.code == "call_refused"

    async def test_nobody_may_call_a_card_that_names_nobody(self) -> None:
        silent = SMALL.model_copy(update={"callers": ()})
        handling = Handling([AgentHost(silent, {Measure: measure, Note: measure})], AGENTS | {silent.id: silent})

        response = await handling.handle(a_request(), HOST)

        assert response.failure
        assert response.failure.code == "call_refused"


class TestDeadline:
    SLEEPS = b'{"text_id": "x", "ask": "sleep"}'

    async def test_the_callers_time_ends_the_work(self) -> None:
        response = await a_handling().handle(a_request(payload=self.SLEEPS, timeout_ms=20), HOST)

        assert response.failure
        assert (response.status, response.failure.code) == (Status.TIMEOUT, "deadline_exceeded")

    async def test_the_transports_time_ends_it_earlier(self) -> None:
        response = await a_handling().handle(a_request(payload=self.SLEEPS), HOST, 0.02)

        assert response.status is Status.TIMEOUT

    async def test_the_card_ends_it_at_its_limit(self) -> None:
        quick = card("small-agent", NAME, Measure, seconds=0.02)
        handling = Handling([AgentHost(quick, {Measure: measure})], AGENTS)

        response = await handling.handle(a_request(payload=self.SLEEPS, timeout_ms=60_000), HOST)

        assert response.status is Status.TIMEOUT


@pytest.fixture
def lines() -> Iterator[io.BytesIO]:
    stream = io.BytesIO()
    logging.configure("small", stream=stream)
    yield stream
    logging.configure("small")


async def told() -> None:
    """The line of a call is written once its answer is on its way: in the next turn of the loop."""
    await asyncio.sleep(0)


async def test_a_crash_says_nothing_of_its_data_and_logs_one_line(lines: io.BytesIO) -> None:
    request = a_request(
        payload=b'{"text_id": "x", "ask": "crash"}', company_id=COMPANY, trace_id=TRACE, span_id="0" * 15 + "1"
    )

    response = await a_handling().handle(request, HOST)
    await told()

    assert response.failure
    assert (response.status, response.failure.code, response.stack_trace) == (Status.ERROR, "internal_error", "")
    assert b"secret of" not in lines.getvalue()
    assert "secret" not in response.failure.message
    [line] = [orjson.loads(line) for line in lines.getvalue().splitlines()]
    assert (line["agent"], line["trace_id"], line["company_id"]) == ("small-agent", TRACE, str(COMPANY))
    assert line["context"]["error"]["type"] == "ValueError"


async def test_each_call_is_a_line_with_its_place_in_the_trace(lines: io.BytesIO) -> None:
    request = a_request(company_id=COMPANY, user_id="user-1", trace_id=TRACE, span_id="0" * 15 + "1")

    await a_handling().handle(request, HOST)
    await told()

    [line] = [orjson.loads(line) for line in lines.getvalue().splitlines()]
    assert (line["trace_id"], line["user_id"], line["company_id"]) == (TRACE, "user-1", str(COMPANY))
    about = line["context"]
    assert (about["request_type"], about["parent_span_id"]) == ("measure", "0" * 15 + "1")
    assert len(about["span_id"]) == 16
    assert about["execution_time_ms"] > 0


async def test_stack_traces_only_where_allowed() -> None:
    request = a_request(payload=b'{"text_id": "x", "ask": "crash"}')

    assert "ValueError" in (await a_handling(stack_traces=True).handle(request, HOST)).stack_trace


class _Flaky:
    """A transport that fails as told, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.requests, self.services = list(errors), list[AgentRequest](), list[str]()

    async def send(self, service: str, request: AgentRequest, seconds: float, *_: Any) -> AgentResponse:
        self.requests.append(request)
        self.services.append(service)
        if self.errors:
            raise self.errors.pop(0)
        return await LocalTransport("postgres-service", {service: a_handling()}).send(service, request, seconds)


class TestClient:
    @pytest.fixture(autouse=True)
    def quick(self, tmp_path: Path) -> None:
        (tmp_path / "policies.toml").write_text('[routes."* -> *"]\nretry_wait_seconds = 0.001\n')
        self.policies = Policies(tmp_path / "policies.toml")

    def client(self, transport: Any) -> AgentClient:
        return AgentClient(AGENTS, transport, policies=self.policies)

    async def ask(self, transport: Any, **options: Any) -> Any:
        task: Task = Measure(text_id="four", ask=options.pop("ask", ""))
        return await self.client(transport).call(task, to="small-agent", sender="asking-agent", **options)

    async def test_attempts_keep_their_request_id_and_count(self) -> None:
        transport = _Flaky(Unavailable(), DeadlineExceeded())

        assert await self.ask(transport, attempts=3) == Measured(length=4)
        assert len({request.request_id for request in transport.requests}) == 1
        assert [request.attempt for request in transport.requests] == [1, 2, 3]

    async def test_one_attempt_is_one(self) -> None:
        transport = _Flaky(Unavailable())
        with pytest.raises(Unavailable):
            await self.ask(transport)

        assert len(transport.requests) == 1

    async def test_an_instance_that_is_gone_costs_no_attempt(self) -> None:
        transport = _Flaky(Unavailable("gone", elsewhere=True))

        assert await self.ask(transport) == Measured(length=4)
        assert [request.attempt for request in transport.requests] == [1, 1]

    async def test_a_broken_rule_is_not_tried_again(self) -> None:
        transport = _Flaky()
        with pytest.raises(AgentFailed) as refused:
            await self.client(transport).call_raw("small-agent", "measure", {}, sender="asking-agent", attempts=3)

        assert (refused.value.code, refused.value.kind) == ("payload_invalid", Kind.PERMANENT)
        assert len(transport.requests) == 1

    async def test_who_answers_a_call_itself_has_one_attempt(self) -> None:
        transport = _Flaky(Unavailable())
        with context.scope(answering=True), pytest.raises(Unavailable):
            await self.ask(transport, attempts=3)

        assert len(transport.requests) == 1

    async def test_a_route_may_allow_fewer_attempts_than_the_caller_wants(self, tmp_path: Path) -> None:
        (tmp_path / "policies.toml").write_text('[routes."* -> small-agent"]\nattempts = 1\n')
        self.policies = Policies(tmp_path / "policies.toml")
        transport = _Flaky(Unavailable())
        with pytest.raises(Unavailable):
            await self.ask(transport, attempts=3)

        assert len(transport.requests) == 1

    def backed(self, transport: Any) -> AgentClient:
        first = SMALL.model_copy(update={"fallback": Fallback(backup="small-backup")})
        return AgentClient(AGENTS | {"small-agent": first}, transport, policies=self.policies)

    async def test_the_backup_is_asked_once_for_the_same_request_when_all_attempts_failed(self) -> None:
        transport = _Flaky(Unavailable(), Unavailable())
        question = {"to": "small-agent", "sender": "asking-agent", "attempts": 2}

        assert await self.backed(transport).call(Measure(text_id="four"), **question) == Measured(length=4)
        assert transport.services == [NAME, NAME, "small-backup"]
        assert len({(request.to_agent_id, request.request_id) for request in transport.requests}) == 1

    async def test_a_backup_of_which_nothing_runs_changes_no_error(self) -> None:
        transport = _Flaky(DeadlineExceeded(), NoInstance())
        with pytest.raises(DeadlineExceeded):
            await self.backed(transport).call(Measure(text_id="four"), to="small-agent", sender="asking-agent")

        assert transport.services == [NAME, "small-backup"]

    async def test_each_agent_has_its_own_time_at_one_backup(self) -> None:
        chain = Fallback(backup="small-backup")
        quick, slow = (
            SMALL.model_copy(update={"id": name, "fallback": chain, "limits": Limits(timeout_seconds=seconds)})
            for name, seconds in (("quick-agent", 1), ("slow-agent", 60))
        )
        transport = _Flaky(Unavailable(), Unavailable(), Unavailable(), Unavailable())
        client = AgentClient(AGENTS | {card.id: card for card in (quick, slow)}, transport, policies=self.policies)
        for name in ("quick-agent", "slow-agent"):
            with pytest.raises(Unavailable):
                await client.call(Measure(text_id="four"), to=name, sender="asking-agent")

        assert transport.services == [NAME, "small-backup"] * 2
        assert [request.timeout_ms > 1000 for request in transport.requests] == [False, False, True, True]

    async def test_a_broken_rule_is_no_matter_for_the_backup(self) -> None:
        transport = _Flaky()
        with pytest.raises(AgentFailed) as refused:
            await self.backed(transport).call_raw("small-agent", "measure", {}, sender="asking-agent")

        assert refused.value.code == "payload_invalid"
        assert transport.services == [NAME]

    async def test_nothing_outlives_the_deadline(self) -> None:
        """Whether the one who asked or the one who was asked says so first."""
        with pytest.raises(EcosystemError) as late:
            await self.ask(LocalTransport("postgres-service", {NAME: a_handling()}), ask="sleep", timeout_seconds=0.05)

        assert late.value.code == "deadline_exceeded"


class TestBalancer:
    def test_weights_share_evenly_over_time(self) -> None:
        three = [MemoryInstance("a", weight=5), MemoryInstance("b", weight=1), MemoryInstance("c", weight=1)]
        balancer = Balancer(FrozenClock())

        picked = [balancer.pick(three) for _ in range(7)]

        assert [item.instance_id for item in picked if item] == ["a", "a", "b", "a", "c", "a", "a"]

    def test_one_that_failed_is_avoided_for_a_moment(self) -> None:
        clock = FrozenClock()
        balancer, two = Balancer(clock), [MemoryInstance("a"), MemoryInstance("b")]
        balancer.avoid("a")

        assert {item.instance_id for item in (balancer.pick(two) for _ in range(4)) if item} == {"b"}
        assert balancer.pick(two[:1]) is two[0]
        clock.advance(1.1)
        assert {item.instance_id for item in (balancer.pick(two) for _ in range(4)) if item} == {"a", "b"}

    def test_weight_nothing_gets_nothing(self) -> None:
        balancer, two = Balancer(FrozenClock()), [MemoryInstance("a", weight=0), MemoryInstance("b", weight=1)]

        assert {item.instance_id for item in (balancer.pick(two) for _ in range(6)) if item} == {"b"}
        assert balancer.pick([]) is None


class TestWire:
    def test_a_request_survives_the_way(self) -> None:
        request = a_request(
            company_id=COMPANY, user_id="u", attempt=2, retries=3, trace_id=TRACE, span_id="0" * 15 + "1"
        )
        sent = agent_pb2.HandleRequest.FromString(encode_request(request).SerializeToString())

        assert decode_request(sent) == request

    async def test_a_response_survives_the_way(self) -> None:
        for request in (a_request(), a_request(payload=b"{")):
            response = await a_handling().handle(request, HOST)
            sent = agent_pb2.HandleResponse.FromString(encode_response(response).SerializeToString())

            assert decode_response(sent) == response

    def test_a_company_that_is_no_id_is_refused(self) -> None:
        with pytest.raises(RequestInvalid):
            decode_request(agent_pb2.HandleRequest(company_id="acme"))

    def test_a_newer_peers_words_are_unknown_not_fatal(self) -> None:
        error = agent_pb2.Error(error_code="odd", kind="cosmic")
        wire = agent_pb2.HandleResponse.FromString(
            b"\x10\x09" + agent_pb2.HandleResponse(error=error).SerializeToString()
        )

        response = decode_response(wire)

        assert response.failure
        assert (response.status, response.failure.kind) == (Status.ERROR, Kind.UNKNOWN)
