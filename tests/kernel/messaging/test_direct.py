"""Goal: an event reaches its consumer though the log is late, and once. Method: a real log, its horizon held back."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from ecosystem.kernel import context
from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.direct import Hint, LateEvents
from ecosystem.kernel.messaging.outbox import Outbox
from ecosystem.kernel.messaging.position import Position
from ecosystem.kernel.messaging.runner import ConsumerRunner
from ecosystem.kernel.testing.clock import FrozenClock
from tests.kernel.messaging.conftest import GENEVA, ZURICH, Counted, Ignored, Log, a_name


class Delivery:
    """Hands hints to the runners of this process, as the agents of their services would."""

    def __init__(self, *runners: ConsumerRunner) -> None:
        self.runners = {runner.consumer.name: runner for runner in runners}
        self.hints: list[Hint] = []
        self.away = False

    @property
    def consumers(self) -> Collection[str]:
        return self.runners

    async def deliver(self, hint: Hint) -> bool:
        self.hints.append(hint)
        if self.away:
            raise Unavailable
        return await self.runners[hint.consumer].deliver(hint.slot, hint.position, hint.recorded_at) is not None


class Late:
    """A publisher and one consumer, which has come to the end of the log."""

    def __init__(self, log: Log) -> None:
        self.log, self.clock, self.runner = log, FrozenClock(), log.runner()
        self.delivery = Delivery(self.runner)
        self.events = LateEvents(log.database, self.delivery, clock=self.clock)
        log.outbox = Outbox(log.database, source="events-service", committed=self.events.remember)

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """A write transaction is open somewhere in the cluster."""
        with psycopg.connect(self.log.platform.admin_url) as other:
            other.execute("select pg_current_xact_id()")
            yield
            other.rollback()

    async def come(self, *, held_back: bool = False) -> None:
        """The consumer follows the log to its end, or as far as it may."""
        await self.runner.register()
        seen = await self.runner.round()
        while seen.more or self.runner.is_half_way or (seen.held and not held_back):
            seen = await self.runner.round()

    async def look(self, after_seconds: float = 5.0) -> None:
        self.clock.advance(after_seconds)
        await self.events.look()


@pytest.fixture
async def late(log: Log) -> Late:
    late = Late(log)
    await late.come()
    return late


async def test_an_event_reaches_its_consumer_while_the_horizon_is_held_back_and_once(late: Late) -> None:
    with late.held_back():
        await late.log.publish("a", 1, 2)
        await late.log.publish("b", 1, company=GENEVA)
        await late.come(held_back=True)
        assert late.log.effects() == []

        await late.look()

        assert late.log.effects() == [("a", 1), ("a", 2), ("b", 1)]
        await late.look(1)
    await late.come()
    assert sorted(late.log.effects()) == [("a", 1), ("a", 2), ("b", 1)]
    assert len(late.delivery.hints) == 3


async def test_nothing_is_asked_before_its_time_nor_when_the_log_is_on_time(late: Late) -> None:
    await late.log.publish("a", 1)
    await late.look(4.9)
    assert late.delivery.hints == []

    await late.come()
    await late.look(0.2)

    assert late.delivery.hints == []
    assert late.log.effects() == [("a", 1)]


async def test_only_who_can_be_reached_and_wants_the_type_is_asked_about(late: Late) -> None:
    unreached, uninterested = late.log.runner(late.log.consumer("unreached")), late.log.runner(Consumer("uninterested"))
    for runner in (unreached, uninterested):
        await runner.register()
    late.delivery.runners["uninterested"] = uninterested
    await late.log.publish("a", 1)

    await late.look()

    assert [hint.consumer for hint in late.delivery.hints] == ["counting"]


async def test_a_reader_that_stalls_is_gone_around_too(late: Late) -> None:
    await late.log.publish("a", 1)

    await late.look()

    assert late.log.effects() == [("a", 1)]
    await late.come()
    assert late.log.effects() == [("a", 1)]


async def test_the_entry_of_the_same_deed_in_the_audit_trail_hides_none(late: Late) -> None:
    """Whoever reads that one is on time, or cannot be reached."""

    async def deed() -> None:
        await late.log.outbox.add(Counted(thing="a", count=1))
        await late.log.outbox.add(Ignored(thing="a"))

    with late.held_back():
        with context.scope(company_id=ZURICH):
            await late.log.database.run(deed)
        await late.look()

        assert late.log.effects() == [("a", 1)]


async def test_an_agent_that_is_away_is_asked_again(late: Late) -> None:
    with late.held_back():
        await late.log.publish("a", 1)
        late.delivery.away = True
        await late.look()
        assert late.log.effects() == []

        late.delivery.away = False
        await late.look(1)

        assert late.log.effects() == [("a", 1)]


async def test_events_of_a_subject_keep_their_order_whoever_published_them(late: Late) -> None:
    """What another process published before, and did not deliver yet, comes first."""
    with late.held_back():
        other = Outbox(late.log.database, source="events-service")
        ours, late.log.outbox = late.log.outbox, other
        await late.log.publish("a", 1)
        late.log.outbox = ours
        await late.log.publish("a", 2)

        await late.look()

        assert late.log.effects() == [("a", 1), ("a", 2)]


async def test_events_behind_a_parked_one_wait_for_it(late: Late) -> None:
    name = a_name()
    late.log.failing[(name, 1)] = 2
    await late.log.publish(name, 1)
    await late.come()
    with late.held_back():
        await late.log.publish(name, 2)

        await late.look()

        assert late.log.effects() == []


async def test_an_event_that_fails_is_left_to_the_log(late: Late) -> None:
    late.log.failing[("a", 1)] = 1
    with late.held_back():
        await late.log.publish("a", 1)
        await late.look()
        assert late.log.effects() == []

        await late.look(1)

        assert late.log.effects() == [("a", 1)]


async def test_a_rolled_back_event_is_not_remembered(late: Late) -> None:
    async def work() -> None:
        await late.log.outbox.add(Counted(thing="a", count=1))
        raise LookupError

    with context.scope(company_id=ZURICH), pytest.raises(LookupError):
        await late.log.database.run(work)
    await late.look()

    assert late.delivery.hints == []


async def test_a_place_where_nothing_is_gives_nothing_away(late: Late) -> None:
    await late.log.publish("a", 1)
    await late.look()
    [hint] = late.delivery.hints

    assert await late.runner.deliver(hint.slot, Position(1, 1, 1), hint.recorded_at) is None
    assert await late.runner.deliver(hint.slot, hint.position, hint.recorded_at) == 0
    assert late.log.effects() == [("a", 1)]
