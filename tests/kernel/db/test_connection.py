"""Goal: what is said together is as whole, as fenced and as refused as what is said one by one.

Method: a real server that is asked what it knows; killed connections; statements that fail early, late, at the end.
"""

import asyncio

import psycopg
import pytest
from psycopg.rows import dict_row

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.errors import CommitUncertain, TooMuchContention
from ecosystem.kernel.db.raw import driver
from ecosystem.kernel.db.wire import Statement, Wire
from tests.kernel.db.fixtures import Platform
from tests.kernel.db.things import AMY, BOB, SCHEMA, add, all_names
from tests.support.poll import eventually

ADD = f"insert into {SCHEMA}.things (company_id, id, name) values (%s, %s, %s)"
NAMES = f"select name from {SCHEMA}.things order by id"
FAIL = "select 1 / 0"
LOSE = "do $$ begin raise exception 'later' using errcode = '40001'; end $$"
PREPARED = "select count(*) from pg_prepared_statements where name like 'eco_%%'"


@pytest.fixture
async def database(platform: Platform) -> Database:
    return platform.database(SCHEMA)


@pytest.fixture
async def wire(platform: Platform) -> Wire:
    return await platform.database(SCHEMA).connection()


async def said(wire: Wire, *statements: Statement) -> list[tuple[object, ...]]:
    return await (await wire.together(statements)).fetchall()


async def asleep(platform: Platform) -> object:
    return platform.rows("select count(*) from pg_stat_activity where wait_event = 'PgSleep'")[0][0]


class TestLater:
    async def test_it_waits_for_the_commit_and_its_rows_come_then(self, database: Database, platform: Platform) -> None:
        rows: list[dict[str, object]] = []

        async def work() -> None:
            connection = await driver(database)
            await connection.later(ADD, (AMY, 1, "one"))
            await connection.later(NAMES, None, dict_row, rows.extend)
            assert (rows, connection.wire.info.transaction_status.name) == ([], "IDLE")

        with context.scope(company_id=AMY):
            await database.run(work)

        assert (all_names(platform), rows) == (["one"], [{"name": "one"}])

    async def test_it_goes_before_the_next_statement(self, database: Database) -> None:
        async def work() -> list[tuple[str]]:
            connection = await driver(database)
            await connection.later(ADD, (AMY, 1, "one"))
            return await (await connection.execute(NAMES)).fetchall()

        with context.scope(company_id=AMY):
            assert await database.run(work) == [("one",)]

    async def test_it_goes_before_what_a_session_says(self, database: Database, platform: Platform) -> None:
        async def work() -> None:
            await (await driver(database)).later(ADD, (AMY, 1, "one"))
            await add(database, AMY, 2, "two")
            await (await driver(database)).later(f"update {SCHEMA}.things set name = name || '!'")
            await add(database, AMY, 3, "three")

        with context.scope(company_id=AMY):
            await database.run(work)

        assert all_names(platform) == ["one!", "two!", "three"]

    async def test_where_it_fails_nothing_is_kept(self, database: Database, platform: Platform) -> None:
        async def work() -> None:
            await (await driver(database)).execute(ADD, (AMY, 1, "one"))
            await (await driver(database)).later(FAIL)

        with context.scope(company_id=AMY), pytest.raises(psycopg.errors.DivisionByZero):
            await database.run(work)

        assert all_names(platform) == []

    async def test_a_later_serialisation_failure_runs_the_work_again(
        self, database: Database, platform: Platform
    ) -> None:
        attempts = 0

        async def work() -> None:
            nonlocal attempts
            attempts += 1
            await (await driver(database)).later(ADD, (AMY, attempts, f"attempt {attempts}"))
            if attempts < 3:
                await (await driver(database)).later(LOSE)

        with context.scope(company_id=AMY):
            await database.run(work)

        assert all_names(platform) == ["attempt 3"]

    async def test_contention_without_end_is_told(self, platform: Platform) -> None:
        database = platform.database(SCHEMA, attempts_max=2)

        async def work() -> None:
            await (await driver(database)).later(LOSE)

        with pytest.raises(TooMuchContention):
            await database.run(work)


class TestFence:
    async def test_each_statement_of_a_reading_is_fenced_and_cannot_write(self, database: Database) -> None:
        async def fill() -> None:
            connection = await driver(database)
            await connection.execute(ADD, (AMY, 1, "amy's"))
            await database.set_company(BOB)
            await connection.execute(ADD, (BOB, 1, "bob's"))

        async def look() -> list[object]:
            connection = await driver(database)
            seen: list[object] = [await (await connection.execute(NAMES)).fetchall()]
            async with database.as_company(BOB):
                seen.append(await (await connection.execute(NAMES)).fetchall())
            return [*seen, await (await connection.execute(NAMES)).fetchall()]

        async def write() -> None:
            await (await driver(database)).execute(ADD, (AMY, 2, "more"))

        with context.scope(company_id=AMY):
            await database.run(fill)
            assert await database.read(look) == [[("amy's",)], [("bob's",)], [("amy's",)]]
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                await database.read(write)

    async def test_without_a_company_there_are_no_rows(self, database: Database) -> None:
        async def look() -> list[object]:
            return await (await (await driver(database)).execute(NAMES)).fetchall()

        with context.scope(company_id=AMY):
            await database.run(lambda: add(database, AMY, 1))
        with context.scope(company_id=None):
            assert await database.read(look) == []

    async def test_nothing_of_it_stays_on_the_connection(self, database: Database) -> None:
        async def about(statement: str) -> tuple[object, ...]:
            return (await (await (await driver(database)).execute(statement)).fetchone()) or ()

        with context.scope(company_id=AMY):
            await database.read(lambda: about("select 1"))
        company = "select current_setting('eco.company_id'), current_setting('transaction_read_only')"
        with context.scope(company_id=None):
            assert await database.run(lambda: about(company)) == ("", "off")


class TestLostConnections:
    async def test_a_server_that_went_before_the_first_word_did_nothing(
        self, database: Database, platform: Platform
    ) -> None:
        async def work() -> None:
            connection = await driver(database)
            await connection.later(ADD, (AMY, 1, "once"))
            # Behind the look at the connection, before anything is said on it.
            platform.rows("select pg_terminate_backend(%s, 5000)", connection.wire.info.backend_pid)

        killed: list[bool] = []

        async def killed_once() -> None:
            if killed:
                await (await driver(database)).later(ADD, (AMY, 1, "once"))
                return
            killed.append(True)
            await work()

        with context.scope(company_id=AMY):
            await database.run(killed_once)

        assert all_names(platform) == ["once"]

    async def test_a_server_that_goes_during_the_commit_leaves_it_uncertain(
        self, database: Database, platform: Platform
    ) -> None:
        async def work() -> None:
            connection = await driver(database)
            await connection.execute(ADD, (AMY, 1, "one"))
            platform.rows("select pg_terminate_backend(%s, 5000)", connection.wire.info.backend_pid)

        with context.scope(company_id=AMY), pytest.raises(CommitUncertain):
            await database.run(work)


class TestWire:
    async def test_a_batch_is_all_or_nothing(self, wire: Wire, platform: Platform) -> None:
        fence = Statement("select set_config('eco.company_id', %s, true)", (str(AMY),))
        with pytest.raises(psycopg.errors.DivisionByZero):
            await wire.together([fence, Statement(ADD, (AMY, 1, "one")), Statement(FAIL)])
        assert all_names(platform) == []

        await wire.together([fence, Statement(ADD, (AMY, 1, "one")), Statement(ADD, (AMY, 2, "two"))])
        assert all_names(platform) == ["one", "two"]

    async def test_what_is_said_again_is_prepared_and_the_oldest_is_forgotten(self, wire: Wire) -> None:
        async def prepared() -> object:
            return (await said(wire, Statement(PREPARED)))[0][0]

        await said(wire, Statement("select 'once'"))
        assert await prepared() == 0
        for number in range(300):
            for _ in range(3):
                assert await said(wire, Statement(f"select {number}")) == [(number,)]
        # The question itself has the last of 256 places.
        assert await prepared() == 255

    async def test_what_could_not_be_prepared_is_prepared_when_it_can(self, wire: Wire) -> None:
        missing = Statement("select name from pg_temp.not_yet")
        for _ in range(3):
            with pytest.raises(psycopg.errors.UndefinedTable):
                await said(wire, missing)
        with pytest.raises(psycopg.errors.DivisionByZero):
            await said(wire, Statement(FAIL), missing)

        await said(wire, Statement("create temporary table not_yet as select 'here' as name"))

        assert [await said(wire, missing) for _ in range(3)] == [[("here",)]] * 3

    async def test_what_psycopg_has_the_session_forget_is_said_anew(self, wire: Wire) -> None:
        statement = Statement("select 'ours'")
        for _ in range(2):
            await said(wire, statement)
        await wire.execute("select 'psycopg''s own'", prepare=True)
        await wire.execute("begin", prepare=False)
        await wire.rollback()
        await wire.execute("select 1")

        assert await said(wire, Statement(PREPARED)) == [(0,)]
        assert [await said(wire, statement) for _ in range(3)] == [[("ours",)]] * 3

    async def test_one_statement_thrice_in_a_batch(self, wire: Wire) -> None:
        rows: list[object] = []
        each = [Statement("select %s::int", (number,), then=rows.extend) for number in (1, 2, 3)]
        for _ in range(2):
            await said(wire, *each)
        assert rows == [(1,), (2,), (3,)] * 2
        assert await said(wire, Statement(PREPARED)) == [(1,)]

    async def test_what_cannot_be_adapted_harms_nothing(self, wire: Wire) -> None:
        with pytest.raises(psycopg.ProgrammingError, match="cannot adapt"):
            await said(wire, Statement("select 1"), Statement("select %s", (object(),)))
        assert await said(wire, Statement("select 2")) == [(2,)]

    async def test_whoever_waits_can_be_cancelled(self, wire: Wire, platform: Platform) -> None:
        waiting = asyncio.create_task(said(wire, Statement("select pg_sleep(600)"), Statement("select 1")))
        await eventually(lambda: asleep(platform))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await said(wire, Statement("select 2")) == [(2,)]

    async def test_much_in_and_much_out(self, wire: Wire) -> None:
        much = "x" * 3_000_000
        lengths: list[object] = []
        answer = await said(
            wire, Statement("select length(%s)", (much,), then=lengths.extend), Statement("select repeat('y', 2000000)")
        )
        assert (lengths, len(str(answer[0][0]))) == ([(len(much),)], 2_000_000)

    async def test_the_end_of_a_resting_connection_is_seen(self, wire: Wire, platform: Platform) -> None:
        await said(wire, Statement("select 1"))
        assert not wire.ended_at_rest()
        platform.rows("select pg_terminate_backend(%s, 5000)", wire.info.backend_pid)
        assert wire.ended_at_rest()
