"""A log, a table of effects, and events to publish."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.event import Envelope, Event
from ecosystem.kernel.messaging.outbox import Outbox
from ecosystem.kernel.messaging.runner import ConsumerRunner
from ecosystem.kernel.messaging.settings import MessagingSettings
from tests.kernel.db.fixtures import Platform, PlatformCluster, a_platform, a_variant, execute
from tests.support.poll import PATIENCE_SECONDS, eventually

ZURICH, GENEVA = UUID(int=0xA1), UUID(int=0xB2)

EFFECTS = """
set role eco_owner;
create table events.effects (
  number bigint generated always as identity, company_id uuid not null, consumer text not null, event_id uuid not null,
  subject text not null, count integer not null
);
grant select, insert on events.effects to eco_events;
select kernel.fence('events.effects'::regclass);
"""


class Counted(Event, event_type="thing_counted", subject="thing"):
    thing: str
    count: int


class Ignored(Event, event_type="thing_ignored", subject="thing"):
    thing: str


@dataclass
class Log:
    platform: Platform
    database: Database
    outbox: Outbox
    seen: list[tuple[str, int]] = field(default_factory=list)
    failing: dict[tuple[str, int], int] = field(default_factory=dict)

    async def publish(
        self, thing: str, *counts: int, company: UUID | None = ZURICH, event_id: UUID | None = None
    ) -> None:
        """Each count in a unit of work of its own."""
        for count in counts:
            with context.scope(company_id=company):
                await self.database.run(
                    lambda count=count: self.outbox.add(Counted(thing=thing, count=count), event_id=event_id)
                )

    def handler(
        self, consumer: str = "counting", database: Database | None = None
    ) -> Callable[[Envelope], Awaitable[None]]:
        """Writes one effect; fails as often as `failing` says for a (thing, count), after having written."""
        database = database or self.database

        async def handle(envelope: Envelope) -> None:
            event = envelope.read(Counted)
            await database.session.execute(
                text("insert into effects (company_id, consumer, event_id, subject, count)"
                     " values (:company, :consumer, :event, :subject, :count)"),
                {"company": envelope.company_id, "consumer": consumer, "event": envelope.id,
                 "subject": envelope.subject, "count": event.count},
            )  # fmt: skip
            left = self.failing.get((event.thing, event.count), 0)
            if left:
                self.failing[(event.thing, event.count)] = left - 1
                raise ValueError("not this one")

        return handle

    def consumer(self, name: str = "counting", **changes: Any) -> Consumer:
        handler = changes.pop("handler", None) or self.handler(name, changes.pop("database", None))
        return Consumer(name, {Counted: handler}, **changes)

    def runner(
        self, consumer: Consumer | None = None, database: Database | None = None, **settings: Any
    ) -> ConsumerRunner:
        settings = {"poll_seconds": 0.5, "retry_base_seconds": 0.02, "retry_max_seconds": 0.05} | settings
        consumer = consumer or self.consumer(database=database)
        # Past its bounds too: what a poll must not save has one in an hour.
        return ConsumerRunner(database or self.database, consumer, MessagingSettings.model_construct(**settings))

    @asynccontextmanager
    async def running(self, *runners: ConsumerRunner) -> AsyncIterator[None]:
        stop = asyncio.Event()
        tasks = [asyncio.create_task(runner.run(stop)) for runner in runners]
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_SECONDS)

    def effects(self, consumer: str = "counting") -> list[tuple[str, int]]:
        """(subject, count) in the order in which they took effect."""
        return [
            (subject, count)
            for subject, count in self.platform.rows(
                "select subject, count from events.effects where consumer = %s order by number", consumer
            )
        ]

    async def until(self, wanted: int, consumer: str = "counting") -> list[tuple[str, int]]:
        async def look() -> bool:
            return len(self.effects(consumer)) >= wanted

        await eventually(look, every_seconds=0.03)
        return self.effects(consumer)


@pytest.fixture(scope="session")
def effects_cluster(platform_cluster: PlatformCluster) -> Iterator[PlatformCluster]:
    with a_variant(platform_cluster, "eco_effects", lambda url: execute(url, EFFECTS)) as cluster:
        yield cluster


@pytest.fixture
async def platform(effects_cluster: PlatformCluster) -> AsyncIterator[Platform]:
    async with a_platform(effects_cluster) as platform:
        yield platform


@pytest.fixture
def log(platform: Platform) -> Log:
    database = platform.database("events")
    return Log(platform, database, Outbox(database, source="events-service"))


def a_name() -> str:
    return uuid4().hex
