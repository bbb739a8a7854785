"""Goal: the log outlives weeks, restores and broken connections. Method: its own functions on a real server."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from ecosystem.kernel import context
from ecosystem.kernel.audit.audit import Audit
from ecosystem.kernel.messaging.errors import PositionRefused
from ecosystem.kernel.messaging.log import EventLog
from ecosystem.kernel.messaging.position import START, Position
from tests.kernel.messaging.conftest import GENEVA, ZURICH, Log
from tests.support.poll import PATIENCE_SECONDS, eventually


async def _listed(care: EventLog, count: int) -> bool:
    return len(await care.events()) == count


class TestWeeks:
    async def test_weeks_to_come_are_covered_while_a_writer_and_a_reader_are_open(self, log: Log) -> None:
        until = datetime.now(UTC) + timedelta(weeks=9)
        with psycopg.connect(log.platform.admin_url) as writer, psycopg.connect(log.platform.admin_url) as reader:
            writer.execute(
                "select kernel.append(gen_random_uuid(), 't', 's', 'x', 0::smallint, now(), null, null, '{}')"
            )
            reader.execute("select count(*) from kernel.log")
            before = log.platform.rows("select count(*) from pg_inherits where inhparent = 'kernel.log'::regclass")
            log.platform.rows("select kernel.cover_log(%s)", until)

        after = log.platform.rows("select count(*) from pg_inherits where inhparent = 'kernel.log'::regclass")
        assert after[0][0] > before[0][0]
        assert log.platform.rows("select covered_until > %s from kernel.log_state", until) == [(True,)]

    async def test_log_that_slept_past_its_weeks_covers_itself_at_the_next_append(self, log: Log) -> None:
        weeks = log.platform.rows(
            "select c.oid::regclass::text from pg_inherits i join pg_class c on c.oid = i.inhrelid"
            " where i.inhparent = 'kernel.log'::regclass"
        )
        for (week,) in weeks:
            log.platform.rows(f"drop table {week}")
        log.platform.rows(
            "update kernel.log_state"
            " set covered_until = date_trunc('week', now() at time zone 'UTC') at time zone 'UTC'"
        )
        await log.publish("a", 1)

        assert log.platform.rows("select count(*) from kernel.log") == [(1,)]


class TestEpochs:
    async def test_restore_into_another_cluster_begins_an_epoch_that_stands_behind_the_old_one(self, log: Log) -> None:
        await log.publish("a", 1)
        async with log.running(log.runner()):
            await log.until(1)
        # As after a restore: another system, whose transactions begin with small numbers again.
        log.platform.rows("update kernel.log set xid = '900000000000'")
        log.platform.rows("update events.cursors set xid = '900000000000' where xid > '0'")
        log.platform.rows("update kernel.log_state set system_identifier = 1")
        log.platform.rows("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'eco_events'")

        await log.publish("a", 2)
        async with log.running(log.runner()):
            assert await log.until(2) == [("a", 1), ("a", 2)]
        assert log.platform.rows("select epoch from kernel.log order by id") == [(1,), (2,)]


class TestListing:
    async def test_each_company_sees_its_own_in_the_order_of_the_log(self, log: Log) -> None:
        care = EventLog(log.database)
        await log.publish("a", 1, 2, company=ZURICH)
        await log.publish("a", 9, company=GENEVA)
        with context.scope(company_id=ZURICH):
            # An open transaction anywhere in the cluster hides what came after it for a moment.
            await eventually(lambda: _listed(care, 2))
            first = await care.events(limit=1)
            rest = await care.events(after=first[0].cursor)
            newest = await care.events(newest=True, limit=1)
            foreign = await care.event(first[0].envelope.id)
        with context.scope(company_id=GENEVA):
            assert await care.event(first[0].envelope.id) is None

        assert [one.envelope.data["count"] for one in (*first, *rest, *newest)] == [1, 2, 2]
        assert foreign is not None

    async def test_who_follows_one_subject_goes_on_behind_the_others(self, log: Log) -> None:
        care = EventLog(log.database)
        await log.publish("others", 1, 2)
        with context.scope(company_id=ZURICH):
            await eventually(lambda: _listed(care, 2))
            (others,) = await care.events(newest=True, limit=1)
            found, position = await care.following(str(START), subject="mine", limit=2)
            await log.publish("mine", 1, 2, 3)
            await eventually(lambda: _listed(care, 5))
            page, middle = await care.following(position, subject="mine", limit=2)
            rest, _ = await care.following(middle, subject="mine", limit=2)

        assert (found, Position.parse(position) > Position.parse(others.cursor)) == ([], True)
        assert [[one.envelope.data["count"] for one in some] for some in (page, rest)] == [[1, 2], [3]]

    async def test_who_follows_waits_for_what_an_open_transaction_may_still_bring(self, log: Log) -> None:
        care = EventLog(log.database)
        with context.scope(company_id=ZURICH), psycopg.connect(log.platform.url("eco_events")) as writer:
            writer.execute("select set_config('eco.company_id', %s, true)", (str(ZURICH),))
            writer.execute(
                "select kernel.append(gen_random_uuid(), 'early', 's', 'x', 0::smallint, now(), null, null, '{}')"
            )
            await log.publish("late", 1)
            before, position = await care.following(str(START))
            writer.commit()
            await eventually(lambda: _listed(care, 2))
            after, _ = await care.following(position)

        assert (before, [one.envelope.type for one in after]) == ([], ["early", "thing_counted"])

    async def test_what_ended_while_it_was_looked_for_is_not_given_twice(
        self, log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        care = EventLog(log.database)
        monkeypatch.setattr("ecosystem.kernel.messaging.log._LOG_END", "select 1, 3::bigint, 0::bigint")
        await log.publish("a", 1)
        with context.scope(company_id=ZURICH):
            await eventually(lambda: _listed(care, 1))
            (found,), position = await care.following(str(START))

        assert position == found.cursor

    @pytest.mark.parametrize("text", ["", "1", "1.2", "a.b.c", "1.2.3.4", "-1.2.3", "1.2.3'; drop table x"])
    def test_position_that_was_not_given_by_us_is_refused(self, text: str) -> None:
        with pytest.raises(PositionRefused):
            Position.parse(text)

    def test_positions_are_ordered_by_epoch_then_transaction_then_place(self) -> None:
        assert Position.parse("1.900.1") < Position.parse("2.3.1") < Position.parse("2.3.4")


class TestWakeups:
    async def test_broken_connection_is_opened_again_and_everyone_looks(self, log: Log) -> None:
        heard = log.database.wakeups.subscribe("eco_test")
        other = log.platform.database("events")

        async def reached() -> bool:
            other.wakeups.send("eco_test")
            return heard.is_set()

        await eventually(reached)
        log.platform.rows("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
                          " and query like 'listen %%'")  # fmt: skip
        heard.clear()
        await asyncio.wait_for(heard.wait(), PATIENCE_SECONDS)  # told to look, since it was deaf for a moment
        heard.clear()
        await eventually(reached)
        assert heard.is_set()


class TestOrderCheck:
    def test_it_looks_at_one_place_however_many_events_a_company_has(self, log: Log) -> None:
        look = f"select kernel.has_later('{ZURICH}', 's9', 1, '3'), kernel.has_later(null, 's9', 1, '3')"
        with psycopg.connect(log.platform.admin_url, autocommit=True) as connection:
            # Its plans are made while the log is empty, which is when a planner knows least.
            assert connection.execute(look).fetchone() == (False, False)
            connection.execute(
                "insert into kernel.log (epoch, slot, event_id, type, source, subject, company_id, time, data)"
                " select 1, 0, gen_random_uuid(), 't', 's', 's' || n, c, now(), '{}'"
                " from generate_series(1, 3000) n, unnest(array[%s, null]::uuid[]) c",
                (ZURICH,),
            )
            assert connection.execute(look).fetchone() == (True, True)
            shown: Any = connection.execute(f"explain (analyze, buffers, format json) {look}").fetchone()

        assert shown[0][0]["Plan"]["Shared Hit Blocks"] < 60


class TestAudit:
    async def test_entry_says_who_did_what_and_leaves_with_the_deed(self, log: Log) -> None:
        audit = Audit(log.outbox)
        with context.scope(company_id=ZURICH, user_id="client-7", agent_id="storage-agent", trace_id="ab" * 16):
            await log.database.run(lambda: audit.record("client_revoked", "c1", before={"active": True}, after=None))

        entry = log.platform.rows("select type, subject, user_id, trace_id, company_id, data from kernel.log")
        assert entry == [
            ("audit_recorded", "c1", "client-7", "ab" * 16, ZURICH,
             {"action": "client_revoked", "target": "c1", "before": {"active": True}, "after": None,
              "user_id": "client-7", "agent_id": "storage-agent"}),
        ]  # fmt: skip
