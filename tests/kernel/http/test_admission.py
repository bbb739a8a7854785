"""Goal: under too much load what is taken stays quick, the urgent goes first and no company crowds out another.
Method: the gate itself, entered by hand; then the real door with handlers that wait until they are told."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from ecosystem.kernel.clock import SystemClock
from ecosystem.kernel.http.admission import (
    Admission,
    CompanyTooBusy,
    Overloaded,
    Place,
    Priority,
    priority,
    stand_aside,
)
from ecosystem.kernel.http.app import create_app
from ecosystem.kernel.http.door import Door, Guards
from ecosystem.kernel.http.health import Health
from ecosystem.kernel.http.settings import HttpSettings
from ecosystem.kernel.telemetry.metrics import Metrics
from ecosystem.kernel.testing.twins import NamedPrincipals
from tests.support.poll import PATIENCE_SECONDS

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)
URGENT, ORDINARY, BULK, ELSEWHERE = Priority


def a_gate(at_once: int = 2, waiting: int = 4, seconds: float = 30) -> Admission:
    settings = HttpSettings(requests_at_once_max=at_once, requests_waiting_max=waiting, request_wait_seconds=seconds)
    return Admission(settings, Metrics())


class Queue:
    """Requests that wait at a gate, with the order in which they were let in."""

    def __init__(self, gate: Admission) -> None:
        self.gate, self.order = gate, list[str]()
        self.tasks: dict[str, asyncio.Task[Place]] = {}

    async def join(self, name: str, company: UUID, level: Priority = ORDINARY) -> None:
        async def enter() -> Place:
            place = await self.gate.enter(company, level)
            self.order.append(name)
            return place

        self.tasks[name] = asyncio.create_task(enter())
        await asyncio.sleep(0)

    async def drain(self, first: Place) -> list[str]:
        """Let one after the other leave; the order in which the others came in."""
        first.leave()
        for _ in range(len(self.tasks)):
            await asyncio.sleep(0)
            for task in self.tasks.values():
                if task.done() and not task.cancelled() and task.exception() is None:
                    task.result().leave()
        return self.order


class TestOrder:
    async def test_with_room_nobody_waits(self) -> None:
        gate = a_gate(at_once=8)
        places = [await gate.enter(A, ORDINARY) for _ in range(7)]

        assert (gate.at_work, gate.waiting) == (7, 0)
        for place in places:
            place.leave()
            place.leave()
        assert gate.at_work == 0

    async def test_the_urgent_goes_before_the_ordinary_and_that_before_bulk(self) -> None:
        queue = Queue(a_gate(at_once=2, waiting=10))
        places = [await queue.gate.enter(A, URGENT) for _ in range(2)]
        for name, level in (("bulk", BULK), ("ordinary", ORDINARY), ("urgent", URGENT)):
            await queue.join(name, A, level)
        places[1].leave()

        assert await queue.drain(places[0]) == ["urgent", "ordinary", "bulk"]

    async def test_each_agent_call_at_work_takes_a_place_of_bulk_but_for_the_last(self) -> None:
        calls = 2
        gate = Admission(HttpSettings(requests_at_once_max=16, requests_waiting_max=10), Metrics(), lambda: calls)
        queue = Queue(gate)
        places = [await gate.enter(A, BULK) for _ in range(2)]
        await queue.join("a third", A, BULK)
        assert (queue.order, gate.waiting) == ([], 1)

        calls = 9
        places[0].leave()
        await asyncio.sleep(0)
        assert queue.order == []
        places[1].leave()
        await asyncio.wait_for(queue.tasks["a third"], PATIENCE_SECONDS)
        assert queue.order == ["a third"]

    async def test_bulk_takes_a_quarter_of_the_places_and_the_ordinary_leaves_an_eighth(self) -> None:
        gate = a_gate(at_once=8, waiting=10)
        for level, count in ((BULK, 2), (ORDINARY, 5), (URGENT, 1)):
            for _ in range(count):
                await asyncio.wait_for(gate.enter(A, level), PATIENCE_SECONDS)
        assert (gate.at_work, gate.waiting) == (8, 0)

        queue = Queue(a_gate(at_once=8, waiting=10))
        for _ in range(2):
            await queue.gate.enter(A, BULK)
        await queue.join("a third", B, BULK)
        assert queue.order == []

    async def test_a_company_with_much_at_work_gives_way(self) -> None:
        queue = Queue(a_gate(at_once=32, waiting=10))
        places = [await queue.gate.enter(A, BULK) for _ in range(8)]
        for name, company in (("a1", A), ("a2", A), ("b1", B), ("a3", A), ("c1", C), ("b2", B)):
            await queue.join(name, company, BULK)

        for place in places[:6]:
            place.leave()
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert queue.order == ["b1", "c1", "b2", "a1", "a2", "a3"]

    async def test_what_is_bounded_elsewhere_takes_no_place(self) -> None:
        gate = a_gate(at_once=2)
        for _ in range(50):
            await gate.enter(A, ELSEWHERE)

        assert gate.at_work == 0


class TestRefusal:
    async def test_a_full_queue_refuses_and_says_when_to_come_again(self) -> None:
        queue = Queue(a_gate(at_once=2, waiting=2))
        places = [await queue.gate.enter(A, URGENT) for _ in range(2)]
        for name in ("one", "two"):
            await queue.join(name, A)

        with pytest.raises(Overloaded) as refused:
            await queue.gate.enter(A, ORDINARY)
        assert 1 <= refused.value.details["retry_after_seconds"] <= 30
        assert (queue.gate.at_work, queue.gate.waiting) == (2, 2)
        places[1].leave()
        assert await queue.drain(places[0]) == ["one", "two"]

    async def test_the_newest_of_the_busiest_makes_room_for_another_company(self) -> None:
        queue = Queue(a_gate(at_once=2, waiting=3))
        places = [await queue.gate.enter(A, URGENT) for _ in range(2)]
        for name in ("a1", "a2", "a3"):
            await queue.join(name, A)
        await queue.join("b1", B)

        with pytest.raises(CompanyTooBusy):
            await queue.tasks["a3"]
        with pytest.raises(CompanyTooBusy):
            await queue.gate.enter(A, ORDINARY)
        places[1].leave()
        assert sorted(await queue.drain(places[0])) == ["a1", "a2", "b1"]

    async def test_bulk_makes_room_for_a_decision_and_never_the_reverse(self) -> None:
        queue = Queue(a_gate(at_once=2, waiting=1))
        places = [await queue.gate.enter(A, URGENT) for _ in range(2)]
        await queue.join("bulk", A, BULK)
        await queue.join("decision", A, URGENT)

        with pytest.raises(Overloaded):
            await queue.tasks["bulk"]
        with pytest.raises(Overloaded):
            await queue.gate.enter(B, BULK)
        assert await queue.drain(places[0]) == ["decision"]

    async def test_who_waits_in_vain_is_refused_in_time_and_leaves_no_trace(self) -> None:
        gate = a_gate(at_once=2, seconds=0.05)
        places = [await gate.enter(A, URGENT) for _ in range(2)]

        with pytest.raises(Overloaded):
            await gate.enter(B, ORDINARY)
        assert gate.waiting == 0
        for place in places:
            place.leave()
        assert gate.at_work == 0

    @pytest.mark.parametrize("granted", [False, True], ids=["while it waits", "in the moment of its turn"])
    async def test_a_caller_that_goes_away_gives_back_what_it_had(self, granted: bool) -> None:
        queue = Queue(a_gate(at_once=2))
        places = [await queue.gate.enter(A, URGENT) for _ in range(2)]
        await queue.join("gone", B)
        if granted:
            for place in places:
                place.leave()
        queue.tasks["gone"].cancel()
        with suppress(asyncio.CancelledError):
            await queue.tasks["gone"]
        if not granted:
            for place in places:
                place.leave()

        assert (queue.gate.at_work, queue.gate.waiting, queue.order) == (0, 0, [])


class Slow:
    """A small service whose answers wait until they are let go."""

    def __init__(self, **settings: Any) -> None:
        self.go, self.begun = asyncio.Event(), asyncio.Semaphore(0)
        routes = APIRouter()

        async def work(request: Request) -> PlainTextResponse:
            await request.body()
            self.begun.release()
            await self.go.wait()
            return PlainTextResponse("done")

        async def wait(request: Request) -> PlainTextResponse:
            stand_aside(request)
            return await work(request)

        routes.add_api_route("/work", work, methods=["GET", "POST"])
        routes.add_api_route("/things/{number}/decide", priority(URGENT)(work_of(work)), methods=["POST"])
        routes.add_api_route("/wait", wait, methods=["GET"])
        self.health = health = Health("slow", "1", "i", SystemClock().now(), state="ready")
        self.door = Door(
            create_app("slow", "1", [routes]), Guards(NamedPrincipals()), health, settings=HttpSettings(**settings),
            metrics=Metrics(),
        )  # fmt: skip
        transport = httpx.ASGITransport(self.door, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://slow.test")

    def begin(self, method: str, path: str, **more: Any) -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(self.client.request(method, path, **more))


def work_of(work: Callable[[Request], Awaitable[PlainTextResponse]]) -> Callable[[Request], Awaitable[Any]]:
    async def decide(request: Request) -> PlainTextResponse:
        return await work(request)

    return decide


class TestDoor:
    @pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", {"a": 1})])
    async def test_too_many_are_refused_as_a_problem_with_retry_after(self, method: str, body: Any) -> None:
        slow = Slow(requests_at_once_max=2, requests_waiting_max=0)
        taken = slow.begin(method, "/work", json=body)
        await slow.begun.acquire()

        refused = await slow.client.request(method, "/work", json=body)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["retry-after"] == str(refused.json()["retry_after_seconds"])
        assert "Retry-After" in refused.json()["next_step"]
        slow.go.set()
        assert (await taken).text == "done"
        assert slow.door.admission.at_work == 0

    async def test_where_the_others_wait_for_the_database_that_is_the_answer(self) -> None:
        slow = Slow(requests_at_once_max=2, requests_waiting_max=0)
        slow.begin("GET", "/work")
        await slow.begun.acquire()
        slow.health.failing = {"database": "no answer within 2 s"}

        refused = await slow.client.get("/work")
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        assert refused.headers["retry-after"] == str(refused.json()["retry_after_seconds"])
        slow.go.set()

    async def test_health_and_decisions_are_answered_meanwhile(self) -> None:
        slow = Slow(requests_at_once_max=2, requests_waiting_max=0)
        slow.begin("GET", "/work")
        await slow.begun.acquire()
        decision = slow.begin("POST", "/things/7/decide", json={})
        await slow.begun.acquire()

        assert (await slow.client.get("/health/live")).status_code == 200
        slow.go.set()
        assert (await decision).status_code == 200

    async def test_a_slow_sender_holds_no_place(self) -> None:
        slow = Slow(requests_at_once_max=2, requests_waiting_max=0)
        sent, rest = asyncio.Event(), asyncio.Event()

        async def body() -> Any:
            yield b"first"
            sent.set()
            await rest.wait()

        sender = slow.begin("POST", "/work", content=body())
        await sent.wait()
        assert slow.door.admission.at_work == 0
        rest.set()
        await slow.begun.acquire()
        assert slow.door.admission.at_work == 1
        slow.go.set()
        assert (await sender).text == "done"

    async def test_who_only_waits_for_an_outcome_holds_no_place(self) -> None:
        slow = Slow(requests_at_once_max=2, requests_waiting_max=0)
        waiting = [slow.begin("GET", "/wait") for _ in range(5)]
        for _ in waiting:
            await slow.begun.acquire()

        assert slow.door.admission.at_work == 0
        slow.go.set()
        assert [answer.text for answer in await asyncio.gather(*waiting)] == 5 * ["done"]
