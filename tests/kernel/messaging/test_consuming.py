"""Goal: nothing is lost, doubled or out of order. Method: real writers and replicas on a real PostgreSQL."""

import asyncio
import random
from collections.abc import Sequence
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from ecosystem.kernel import context
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.errors import EventTooLarge, PublishedOutside
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.kernel.messaging.outbox import Outbox, slot_of
from tests.kernel.messaging.conftest import GENEVA, ZURICH, Counted, Ignored, Log


class TestPublishing:
    async def test_event_leaves_with_the_unit_of_work_or_not_at_all(self, log: Log) -> None:
        async def breaks() -> None:
            await log.outbox.add(Counted(thing="a", count=1))
            raise ValueError("after all, no")

        with context.scope(company_id=ZURICH), pytest.raises(ValueError, match="after all"):
            await log.database.run(breaks)
        await log.publish("a", 2)

        assert log.platform.rows("select data->>'count', company_id from kernel.log") == [("2", ZURICH)]

    async def test_publishing_outside_of_a_unit_of_work_is_refused(self, log: Log) -> None:
        with pytest.raises(PublishedOutside):
            await log.outbox.add(Counted(thing="a", count=1))

    async def test_event_of_more_than_64_kib_is_refused(self, log: Log) -> None:
        with pytest.raises(EventTooLarge):
            await log.database.run(lambda: log.outbox.add(Ignored(thing="x" * 70_000)))

        assert log.platform.rows("select count(*) from kernel.log") == [(0,)]

    async def test_later_write_of_an_earlier_transaction_runs_again_and_keeps_its_place(self, log: Log) -> None:
        """tx2 gets its number first, tx1 publishes first: by number alone tx2 would be read before tx1."""
        early, go = asyncio.Event(), asyncio.Event()
        runs = 0

        async def slow() -> None:
            nonlocal runs
            runs += 1
            await log.database.session.execute(text("select pg_current_xact_id()"))
            early.set()
            await go.wait()
            await log.outbox.add(Counted(thing="a", count=2))

        with context.scope(company_id=ZURICH):
            second = asyncio.create_task(log.database.run(slow))
            await early.wait()
            await log.publish("a", 1)
            go.set()
            await second
        async with log.running(log.runner()):
            effects = await log.until(2)

        assert runs == 2
        assert effects == [("a", 1), ("a", 2)]


class TestConsuming:
    async def test_nothing_is_lost_under_writers_that_begin_early_and_commit_late(self, log: Log) -> None:
        writers, each = 8, 25
        databases = [log.platform.database("events", pool_size=1) for _ in range(writers)]

        async def write(number: int) -> None:
            outbox, dice = Outbox(databases[number], source="events-service"), random.Random(number)
            for count in range(each):

                async def work(count: int = count) -> None:
                    session = databases[number].session
                    await session.execute(text(f"select pg_current_xact_id(), pg_sleep({dice.random() * 0.01})"))
                    await outbox.add(Counted(thing=f"writer-{number}", count=count))
                    await session.execute(text(f"select pg_sleep({dice.random() * 0.01})"))

                with context.scope(company_id=ZURICH):
                    await databases[number].run(work)

        async with log.running(log.runner(), log.runner(database=log.platform.database("events"))):
            await asyncio.gather(*(write(number) for number in range(writers)))
            effects = await log.until(writers * each)

        assert len(effects) == writers * each
        for number in range(writers):
            mine = [count for subject, count in effects if subject == f"writer-{number}"]
            assert mine == list(range(each))

    async def test_new_event_is_handled_without_a_poll(self, log: Log) -> None:
        async with log.running(log.runner(database=log.platform.database("events"), poll_seconds=3600)):
            for count in range(5):
                await log.publish("a", count)
                assert await log.until(count + 1) == [("a", number) for number in range(count + 1)]

    async def test_lost_wake_up_is_caught_by_the_poll(self, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
        async with log.running(log.runner(poll_seconds=0.2)):
            await log.publish("a", 1)
            await log.until(1)
            monkeypatch.setattr(log.database.wakeups, "send", lambda *_: None)
            await log.publish("a", 2)
            effects = await log.until(2)

        assert effects == [("a", 1), ("a", 2)]

    async def test_events_that_it_does_not_want_wake_nobody(self, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
        runner, patient = log.runner(poll_seconds=3600), log.runner(log.consumer("patient", looks_every_seconds=0.1))
        woken, send = list[str](), log.database.wakeups.send

        def noted(channel: str, key: str = "") -> None:
            woken.append(key)
            send(channel, key)

        monkeypatch.setattr(log.database.wakeups, "send", noted)
        async with log.running(runner, patient):
            await log.publish("a", 1)
            await log.until(1)
            await log.database.run(lambda: log.outbox.add(Ignored(thing="a")))
            await log.publish("a", 2)
            assert await log.until(2) == [("a", 1), ("a", 2)]
            assert await log.until(2, "patient") == [("a", 1), ("a", 2)]

        assert woken == ["thing_counted", "thing_ignored", "thing_counted"]
        assert (runner._wake_keys(), patient._wake_keys()) == (["thing_counted"], [])

    async def test_who_is_in_no_hurry_keeps_its_pace_whatever_it_meets(self, log: Log) -> None:
        patient, eager = log.runner(log.consumer("patient", looks_every_seconds=1.5)), log.runner()

        assert [patient._pause_seconds(held=held, busy=held) for held in (False, True)] == [1.5, 1.5]
        assert [eager._pause_seconds(held=held, busy=held) < 0.1 for held in (False, True)] == [False, True]

    async def test_who_is_in_no_hurry_ends_at_once_when_asked_to(self, log: Log) -> None:
        consumer = log.consumer(looks_every_seconds=2)
        # Past its bound: what a pause must not hold up has one of an hour.
        object.__setattr__(consumer, "looks_every_seconds", 3600)
        await log.publish("a", 1)
        async with log.running(log.runner(consumer)):
            effects = await log.until(1)

        assert effects == [("a", 1)]

    async def test_a_pace_at_which_events_would_count_as_late_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at most 2"):
            Consumer("slow", looks_every_seconds=2.5)

    async def test_handler_sees_only_the_company_of_its_event(self, log: Log) -> None:
        seen: dict[str, list[str]] = {}

        async def look(envelope: Envelope) -> None:
            await log.handler()(envelope)
            rows = await log.database.session.execute(text("select distinct company_id from effects"))
            seen[str(envelope.company_id)] = [str(row[0]) for row in rows]
            assert context.current().company_id == envelope.company_id

        await log.publish("a", 1, company=ZURICH)
        await log.publish("b", 1, company=GENEVA)
        async with log.running(log.runner(log.consumer(handler=look))):
            await log.until(2)

        assert seen == {str(ZURICH): [str(ZURICH)], str(GENEVA): [str(GENEVA)]}

    async def test_fence_stands_right_behind_a_failed_event_of_another_company(self, log: Log) -> None:
        log.failing[("b", 1)] = 1
        await log.publish("a", 1, company=ZURICH)
        await log.publish("b", 1, company=GENEVA)
        await log.publish("c", 1, company=GENEVA)
        await log.publish("d", 1, company=ZURICH)
        async with log.running(log.runner()):
            await log.until(4)

        rows = log.platform.rows("select subject, company_id from events.effects order by subject")
        assert rows == [("a", ZURICH), ("b", GENEVA), ("c", GENEVA), ("d", ZURICH)]

    async def test_event_published_twice_with_one_id_takes_effect_once(self, log: Log) -> None:
        event_id = uuid4()
        await log.publish("a", 1, event_id=event_id)
        await log.publish("a", 1, event_id=event_id)
        await log.publish("a", 2)
        async with log.running(log.runner()):
            effects = await log.until(2)

        assert effects == [("a", 1), ("a", 2)]

    async def test_types_that_nobody_wants_are_passed_over(self, log: Log) -> None:
        for number in range(70):
            await log.database.run(lambda number=number: log.outbox.add(Ignored(thing=f"t{number % 3}")))
        await log.publish("t1", 1)
        async with log.running(log.runner()):
            assert await log.until(1) == [("t1", 1)]

    async def test_another_service_cannot_take_the_name_or_read_as_it(self, log: Log) -> None:
        runner = log.runner()
        await runner.register()
        with psycopg.connect(log.platform.url("eco_creditx"), autocommit=True) as stranger:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                stranger.execute("select kernel.register_consumer('counting', null)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                stranger.execute("select * from kernel.read_batch('counting', '{0}', '{0}', '{0}', '{0}', '{now}', 9)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                stranger.execute("select * from kernel.log")

    async def test_all_that_came_is_handed_over_together_and_without_a_company(self, log: Log) -> None:
        handed: list[tuple[UUID | None, list[tuple[str, UUID | None]]]] = []

        async def note(envelopes: Sequence[Envelope]) -> None:
            handed.append((context.current().company_id, [(one.subject, one.company_id) for one in envelopes]))

        async def ignore(_: Envelope) -> None:
            return None

        consumer = Consumer("everything", {Ignored: ignore}, every=note)
        await log.publish("a", 1, 2, company=ZURICH)
        await log.database.run(lambda: log.outbox.add(Ignored(thing="c")))
        await log.publish("b", 1, company=GENEVA)
        runner = log.runner(consumer)
        await runner.register()
        seen = await runner.round()

        assert seen.handled == 4
        assert handed == [(None, [("a", ZURICH), ("a", ZURICH), ("b", GENEVA)])]

    async def test_one_of_many_that_fails_is_parked_alone(self, log: Log) -> None:
        handed: list[str] = []

        async def note(envelopes: Sequence[Envelope]) -> None:
            if "bad" in [one.subject for one in envelopes]:
                raise ValueError("not this one")
            handed.extend(one.subject for one in envelopes)

        await log.publish("a", 1)
        await log.publish("bad", 1)
        await log.publish("b", 1)
        runner = log.runner(Consumer("everything", every=note))
        await runner.register()
        # The first round finds that one fails, the second does each by itself.
        await runner.round()
        await runner.round()

        assert handed == ["a", "b"]
        assert log.platform.rows("select lane, attempts from events.parked") == [(f"{ZURICH}/bad", 1)]

    async def test_batch_above_64_is_refused(self) -> None:
        with pytest.raises(ValueError, match="64"):
            Consumer("large", batch_max=65)

    async def test_event_that_takes_too_long_alone_is_parked_and_the_rest_goes_on(self, log: Log) -> None:
        database = log.platform.database("events", transaction_timeout_seconds=0.3)

        async def slow(envelope: Envelope) -> None:
            await log.handler(database=database)(envelope)
            if envelope.subject == "slow":
                await database.session.execute(text("select pg_sleep(1)"))

        await log.publish("slow", 1)
        await log.publish("quick", 1, 2)
        async with log.running(log.runner(log.consumer(handler=slow, attempts_max=1000), database)):
            effects = await log.until(2)

        assert effects == [("quick", 1), ("quick", 2)]


def test_slot_is_fixed_by_the_subject() -> None:
    assert [slot_of(subject) for subject in ("", "a", "document")] == [0, 3, 6]
