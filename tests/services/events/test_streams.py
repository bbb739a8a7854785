"""Goal: a stream brings what happens, goes on behind what it passed over, and leaves room for those of others.

Method: the streams of a real server, and the pieces of one where the moment counts.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import httpx
import orjson
import pytest

from ecosystem.kernel.clock import SystemClock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.errors import ConnectionsExhausted
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.http.server import HttpServer
from ecosystem.kernel.http.settings import HttpSettings
from ecosystem.kernel.messaging.log import EventLog, Logged
from ecosystem.kernel.messaging.outbox import CHANNEL
from ecosystem.kernel.messaging.position import START, Position
from ecosystem.kernel.testing.harness import ServiceHarness
from ecosystem.services.events.routes import _messages
from ecosystem.services.events.service import EventsService
from ecosystem.services.events.settings import ServiceSettings
from tests.services.events.conftest import GENEVA, ZURICH, publish
from tests.support.poll import PATIENCE_SECONDS, eventually

STREAM = "/v1/events/stream"
READER = Principal("amy", ZURICH, frozenset({"events:read"}))
STRANGER = Principal("zoe", GENEVA, frozenset({"events:read"}))
PLATFORM = Principal("ops", None, frozenset({"events:read"}))


class NotedLog(EventLog):
    """Remembers from where it was read on."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.positions: list[str] = []

    async def following(self, after: str, **about: Any) -> tuple[list[Logged], str]:
        self.positions.append(after)
        return await super().following(after, **about)


class ExhaustedLog(EventLog):
    async def following(self, after: str, **about: Any) -> tuple[list[Logged], str]:
        raise ConnectionsExhausted


def service(events: ServiceHarness, log: type[EventLog] = EventLog) -> EventsService:
    kernel = events.kernel
    return EventsService(kernel.database, log(kernel.database), kernel.audit, SystemClock(), ServiceSettings())


def fields(message: bytes) -> dict[bytes, bytes]:
    return dict(line.split(b": ", 1) for line in message.strip().split(b"\n"))


class TestMessages:
    async def test_events_come_as_they_happen_and_only_those_of_the_company(self, events: ServiceHarness) -> None:
        stream = _messages(service(events), ZURICH, await service(events).log.end(), None, None)
        await anext(stream)
        waiting = asyncio.create_task(anext(stream))
        await asyncio.wait({waiting}, timeout=0.1)
        await publish(events, "theirs", company=GENEVA)
        await publish(events, "ours")
        message = fields(await asyncio.wait_for(waiting, PATIENCE_SECONDS))

        assert message[b"event"] == b"compliance_document_failed"
        data = orjson.loads(message[b"data"])
        assert (data["data"]["code"], data["position"]) == ("ours", message[b"id"].decode())

    async def test_of_one_type_they_go_on_behind_the_others(self, events: ServiceHarness) -> None:
        following = service(events, NotedLog)
        stream = following.follow(ZURICH, str(START), type_="company_created", subject=None)
        await publish(events, "one", "two")
        other = (await events.client(READER).get("/v1/events")).json()["items"][-1]

        async def went_on() -> bool:
            assert await anext(stream) is None
            return Position.parse(following.log.positions[-1]) > Position.parse(other["position"])

        await eventually(went_on)

    async def test_of_one_type_no_other_wakes_them(
        self, events: ServiceHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wakeups, wake = events.kernel.database.wakeups, asyncio.Event()
        monkeypatch.setattr(wakeups, "subscribe", partial(wakeups.subscribe, event=wake))
        stream = service(events).follow(ZURICH, str(START), type_="company_created", subject=None)
        await anext(stream)

        wake.clear()
        wakeups.send(CHANNEL, "compliance_document_failed")
        assert not wake.is_set()
        wakeups.send(CHANNEL, "company_created")
        assert wake.is_set()

    async def test_what_fails_on_the_way_ends_them_where_the_reader_can_go_on(self, events: ServiceHarness) -> None:
        messages = [piece async for piece in _messages(service(events, ExhaustedLog), ZURICH, "1.2.3", None, None)]

        assert messages == [b"id: 1.2.3\n\n"]

    async def test_from_a_refused_position_none_begins(self, events: ServiceHarness) -> None:
        answer = await events.client(READER).get(STREAM, params={"after": "x"})

        assert answer.status_code == 422


@pytest.fixture
async def served(events: ServiceHarness) -> AsyncIterator[httpx.AsyncClient]:
    server = HttpServer(events.hosted.door, HttpSettings(), context=None)
    port = await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client:
        yield client
    await server.stop(1)


class TestRoom:
    """A process keeps 3 open, 2 of one company."""

    @staticmethod
    def asking(events: ServiceHarness, who: Principal) -> dict[str, Any]:
        return {"url": STREAM, "headers": {"authorization": events.client(who).headers["authorization"]}}

    async def test_a_company_has_its_part_and_a_process_its_end(
        self, events: ServiceHarness, served: httpx.AsyncClient
    ) -> None:
        amy, zoe, ops = (self.asking(events, who) for who in (READER, STRANGER, PLATFORM))
        async with AsyncExitStack() as opened:
            statuses = [
                (await opened.enter_async_context(served.stream("GET", **who))).status_code for who in (amy, amy)
            ]  # fmt: skip
            too_many = await served.get(**amy)
            statuses.append((await opened.enter_async_context(served.stream("GET", **zoe))).status_code)
            full = await served.get(**ops)

        assert statuses == [200, 200, 200]
        assert (too_many.status_code, too_many.json()["code"]) == (429, "company_streams_full")
        assert (full.status_code, full.json()["code"]) == (503, "streams_full")
        assert [answer.headers["retry-after"] for answer in (too_many, full)] == ["5", "5"]

    async def test_whoever_hangs_up_makes_room(self, events: ServiceHarness, served: httpx.AsyncClient) -> None:
        amy = self.asking(events, READER)
        async with AsyncExitStack() as opened:
            for _ in range(2):
                await opened.enter_async_context(served.stream("GET", **amy))
            assert (await served.get(**amy)).status_code == 429

        async def opens() -> bool:
            async with served.stream("GET", **amy) as stream:
                return stream.status_code == 200

        await eventually(opens)

    async def test_a_refused_request_takes_none(self, events: ServiceHarness, served: httpx.AsyncClient) -> None:
        amy = self.asking(events, READER)
        for _ in range(3):
            assert (await served.get(**amy, params={"after": "x"})).status_code == 422

        async with served.stream("GET", **amy) as stream:
            assert stream.status_code == 200
