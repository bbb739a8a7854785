"""Goal: one bad event holds up its subject only, and nothing is lost. Method: handlers that fail, real replicas."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.errors import Invalid
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.kernel.messaging.log import EventLog
from tests.kernel.messaging.conftest import GENEVA, ZURICH, Log
from tests.support.poll import eventually


def parked(log: Log) -> list[tuple[str, int]]:
    return log.platform.rows("select lane, attempts from events.parked order by epoch, xid, id")


async def dead(log: Log) -> list[tuple[int, str]]:
    return log.platform.rows("select attempts, code from kernel.dead_letters")


class TestPoison:
    async def test_later_events_of_its_subject_wait_and_all_others_go_on(self, log: Log) -> None:
        log.failing[("bad", 1)] = 2
        await log.publish("bad", 1, 2, 3)
        await log.publish("good", 1, 2)
        await log.publish("bad", 1, company=GENEVA)
        async with log.running(log.runner()):
            effects = await log.until(6)

        assert [effect for effect in effects if effect[0] == "good"] == [("good", 1), ("good", 2)]
        mine = log.platform.rows("select count from events.effects where subject = 'bad' and company_id <> %s"
                                 " order by number", GENEVA)  # fmt: skip
        assert mine == [(1,), (2,), (3,)]
        assert effects.index(("good", 2)) < effects.index(("bad", 2))
        assert parked(log) == []

    async def test_after_its_attempts_it_is_a_dead_letter_and_its_subject_goes_on(self, log: Log) -> None:
        log.failing[("bad", 1)] = 99
        await log.publish("bad", 1, 2)
        async with log.running(log.runner(log.consumer(attempts_max=3))):
            effects = await log.until(1)

        assert effects == [("bad", 2)]
        assert log.failing[("bad", 1)] == 99 - 4  # once with the batch, then three attempts
        letters = log.platform.rows("select consumer, subject, attempts, code, message from kernel.dead_letters")
        assert letters == [("counting", "bad", 3, "internal_error", "The platform failed in a way it does not know.")]
        assert parked(log) == []

    async def test_what_repeating_cannot_change_is_a_dead_letter_at_once(self, log: Log) -> None:
        async def handle(_: Envelope) -> None:
            raise Invalid

        await log.publish("bad", 1)
        async with log.running(log.runner(log.consumer(handler=handle, attempts_max=1000))):
            assert await eventually(lambda: dead(log)) == [(1, "invalid")]
        assert parked(log) == []

    async def test_what_nobody_knows_is_tried_three_times(self, log: Log) -> None:
        log.failing[("bad", 1)] = 99
        await log.publish("bad", 1, 2)
        async with log.running(log.runner(log.consumer(attempts_max=1000))):
            assert await log.until(1) == [("bad", 2)]

        assert log.platform.rows("select attempts from kernel.dead_letters") == [(3,)]

    async def test_event_that_arrives_later_queues_up_behind_its_parked_subject(self, log: Log) -> None:
        log.failing[("bad", 1)] = 1000
        await log.publish("bad", 1)
        patient = log.runner(log.consumer(attempts_max=1000), retry_base_seconds=3600, retry_max_seconds=3600)
        async with log.running(patient):

            async def is_parked() -> bool:
                return len(parked(log)) == 1

            await eventually(is_parked)
            await log.publish("bad", 2)
            await log.publish("good", 1)
            assert await log.until(1) == [("good", 1)]

            async def both() -> bool:
                return len(parked(log)) == 2

            await eventually(both)

    async def test_event_that_outlasts_its_unit_of_work_dies_and_holds_up_nobody(self, log: Log) -> None:
        database = log.platform.database("events", transaction_timeout_seconds=0.3)

        async def slow(envelope: Envelope) -> None:
            await log.handler(database=database)(envelope)
            if envelope.subject == "slow":
                await database.session.execute(text("select pg_sleep(60)"))

        log.failing[("other", 1)] = 1
        await log.publish("slow", 1)
        await log.publish("other", 1)
        async with log.running(log.runner(log.consumer(handler=slow, attempts_max=2), database)):
            assert await log.until(1) == [("other", 1)]
            assert await eventually(lambda: dead(log)) == [(2, "unit_of_work_too_long")]
        assert parked(log) == []

    async def test_event_that_is_parked_and_then_fails_at_the_commit_dies(self, log: Log) -> None:
        log.platform.rows("create table events.once (number integer unique deferrable initially deferred)")
        log.platform.rows("grant insert on events.once to eco_events")
        log.failing[("twice", 1)] = 2

        async def handle(envelope: Envelope) -> None:
            await log.handler()(envelope)
            for _ in (1, 1):
                await log.database.session.execute(text("insert into once values (1)"))

        await log.publish("twice", 1)
        async with log.running(log.runner(log.consumer(handler=handle, attempts_max=9))):
            ((attempts, _),) = await eventually(lambda: dead(log))
        assert (attempts, parked(log)) == (2, [])

    async def test_event_that_fails_at_the_commit_is_found_and_set_aside(self, log: Log) -> None:
        log.platform.rows("create table events.once (number integer unique deferrable initially deferred)")
        log.platform.rows("grant insert on events.once to eco_events")

        async def handle(envelope: Envelope) -> None:
            await log.handler()(envelope)
            for number in (1, 1) if envelope.subject == "twice" else (int(envelope.position) + 10,):
                await log.database.session.execute(text(f"insert into once values ({number})"))

        await log.publish("a", 1)
        await log.publish("twice", 1)
        await log.publish("b", 1)
        async with log.running(log.runner(log.consumer(handler=handle, attempts_max=1))):
            effects = await log.until(2)

            async def dead() -> bool:
                return bool(log.platform.rows("select 1 from kernel.dead_letters where subject = 'twice'"))

            await eventually(dead)

        assert sorted(effects) == [("a", 1), ("b", 1)]

    async def test_failure_of_the_world_parks_nothing(self, log: Log) -> None:
        failures = 3

        async def contended(envelope: Envelope) -> None:
            nonlocal failures
            await log.handler()(envelope)
            if failures:
                failures -= 1
                raise psycopg.errors.SerializationFailure

        await log.publish("a", 1, 2)
        async with log.running(log.runner(log.consumer(handler=contended))):
            effects = await log.until(2)

        assert effects == [("a", 1), ("a", 2)]
        assert log.platform.rows("select count(*) from kernel.dead_letters") == [(0,)]


REPLICA = """
import asyncio, json, os, sys
from pydantic import SecretStr
from sqlalchemy import text
from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.settings import DatabaseSettings
from tests.kernel.messaging.conftest import Log
from ecosystem.kernel.messaging.outbox import Outbox
from ecosystem.kernel.messaging.settings import MessagingSettings
from ecosystem.kernel.messaging.runner import ConsumerRunner

async def main():
    database = Database(DatabaseSettings(url=SecretStr(os.environ["DATABASE_URL"])), "events")
    log = Log(None, database, Outbox(database, source="events-service"))
    await ConsumerRunner(database, log.consumer(), MessagingSettings()).run(asyncio.Event())

asyncio.run(main())
"""


class TestReplicas:
    async def test_a_killed_replica_loses_and_doubles_nothing(self, log: Log) -> None:
        subjects, each = 8, 16
        root = Path(__file__).parents[3]
        environment = os.environ | {
            "DATABASE_URL": log.platform.url("eco_events"), "PYTHONPATH": f"{root / 'src'}:{root}"
        }  # fmt: skip
        command = [sys.executable, "-c", REPLICA]
        replicas = [subprocess.Popen(command, cwd=root, env=environment) for _ in range(3)]  # noqa: ASYNC220
        try:
            for count in range(each):
                await asyncio.gather(*(log.publish(f"s{number}", count) for number in range(subjects)))
                if count == each // 2:
                    await log.until(1)
                    replicas[0].send_signal(signal.SIGKILL)
            effects = await log.until(subjects * each)
        finally:
            for replica in replicas:
                replica.kill()
                replica.wait()

        assert len(effects) == subjects * each
        for number in range(subjects):
            assert [count for subject, count in effects if subject == f"s{number}"] == list(range(each))
        assert log.platform.rows("select count(*) from events.inbox") == [(subjects * each,)]

    async def test_replicas_share_the_slots(self, log: Log) -> None:
        at_work: set[int] = set()

        def slow(number: int, database: Database) -> object:
            async def handle(envelope: Envelope) -> None:
                await log.handler(database=database)(envelope)
                await database.session.execute(text("select pg_sleep(0.02)"))
                at_work.add(number)

            return handle

        databases = [log.platform.database("events") for _ in range(3)]
        runners = [
            log.runner(log.consumer(handler=slow(number, database), batch_max=4), database)
            for number, database in enumerate(databases)
        ]
        for count in range(4):
            await asyncio.gather(*(log.publish(f"s{number}", count) for number in range(16)))
        async with log.running(*runners):
            await log.until(64)

        assert len(at_work) >= 2


class TestCare:
    @pytest.fixture(autouse=True)
    def reading(self, log: Log) -> None:
        self.care = EventLog(log.database)

    async def test_redelivered_dead_letter_takes_effect_once(self, log: Log) -> None:
        log.failing[("bad", 1)] = 3
        await log.publish("bad", 1, 2)
        async with log.running(log.runner(log.consumer(attempts_max=2))):
            await log.until(1)
            letters = await self.care.dead_letters(everywhere=True)
            await self.care.redeliver(letters[0].dead_letter_id, everywhere=True)
            effects = await log.until(2)

        assert effects == [("bad", 2), ("bad", 1)]

    async def test_replay_hands_over_again_and_the_inbox_removes_doubles(self, log: Log) -> None:
        await log.publish("a", 1, 2, 3)
        async with log.running(log.runner()):
            await log.until(3)
            assert await self.care.events(limit=1) == []  # no company is set: nobody's events
            log.platform.rows("delete from events.inbox where event_id = (select event_id from kernel.log"
                              " where data->>'count' = '2')")  # fmt: skip
            since = log.platform.rows("select recorded_at from kernel.log where data->>'count' = '2'")[0][0]

            tried = await self.care.replay("counting", from_time=since, dry_run=True)
            assert (tried.events, tried.already_handled, tried.to_handle) == (2, 1, 1)
            done = await self.care.replay("counting", from_time=since, dry_run=False)
            assert done.to_handle == 1
            effects = await log.until(4)

        assert effects == [("a", 1), ("a", 2), ("a", 3), ("a", 2)]

    async def test_replay_from_a_position_begins_behind_it(self, log: Log) -> None:
        await log.publish("a", 1, 2, 3)
        async with log.running(log.runner()):
            await log.until(3)
        with context.scope(company_id=ZURICH):
            first = (await self.care.events(limit=1))[0]
        tried = await self.care.replay("counting", from_position=first.cursor, dry_run=True)
        assert (tried.events, tried.to_handle) == (2, 0)

    async def test_states_tell_lag_parked_and_dead(self, log: Log) -> None:
        log.failing[("bad", 1)] = 99
        await log.publish("bad", 1)
        async with log.running(log.runner(log.consumer(attempts_max=1))):

            async def dead() -> bool:
                return bool(await self.care.dead_letters(everywhere=True))

            await eventually(dead)
        await log.publish("good", 1, 2)

        async def lagging() -> bool:
            return (await self.care.consumers())[0].lag_events == 2

        await eventually(lagging)
        state = (await self.care.consumers())[0]
        assert (state.name, state.parked, state.dead_letters) == ("counting", 0, 1)
        assert state.lag_seconds >= 0
        assert json.dumps(state.types) == '["thing_counted"]'
