"""Goal: a unit of work is all or nothing, short, and run again when that helps.

Method: a real server, killed connections, real serialisation failures, two databases.
"""

import asyncio

import pytest
from sqlalchemy import exc, text

from ecosystem.kernel import context
from ecosystem.kernel.context import SlowWorkInUnitOfWork
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.errors import (
    CommitUncertain,
    ConnectionsExhausted,
    DatabaseUnavailable,
    NoUnitOfWork,
    TooMuchContention,
    UnitOfWorkTooLong,
    WriteInReading,
)
from ecosystem.kernel.db.pool import RestingPool
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.errors import DeadlineExceeded, Kind, Unavailable
from tests.kernel.db.fixtures import Platform
from tests.kernel.db.things import AMY, SCHEMA, add, all_names, names
from tests.support.poll import PATIENCE_SECONDS, eventually

LOSE_ONCE = "do $$ begin raise exception 'later' using errcode = '40001'; end $$"


@pytest.fixture
async def database(platform: Platform) -> Database:
    return platform.database(SCHEMA)


async def scalar(database: Database, statement: str) -> object:
    return (await database.session.execute(text(statement))).scalar_one()


def kill(platform: Platform, pid: object) -> None:
    platform.rows("select pg_terminate_backend(%s)", pid)


def kill_all(platform: Platform) -> None:
    platform.rows("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", f"eco_{SCHEMA}")


class TestUnitOfWork:
    async def test_all_statements_or_none(self, database: Database, platform: Platform) -> None:
        async def fail_late() -> None:
            await add(database, AMY, 1, "one")
            raise LookupError

        async def succeed() -> None:
            await add(database, AMY, 2, "two")
            await add(database, AMY, 3, "three")

        with context.scope(company_id=AMY):
            with pytest.raises(LookupError):
                await database.run(fail_late)
            await database.run(succeed)

        assert all_names(platform) == ["two", "three"]

    async def test_nested_run_joins(self, database: Database, platform: Platform) -> None:
        async def outer() -> None:
            await database.run(lambda: add(database, AMY, 1))
            assert await names(database) == ["thing"]
            raise LookupError

        with context.scope(company_id=AMY), pytest.raises(LookupError):
            await database.run(outer)

        assert all_names(platform) == []

    async def test_slow_work_is_refused_while_it_is_open(self, database: Database) -> None:
        async def work() -> None:
            context.refuse_in_unit_of_work("An agent")

        with pytest.raises(SlowWorkInUnitOfWork, match="An agent"):
            await database.run(work)
        context.refuse_in_unit_of_work("An agent")
        await database.read(work)

    async def test_no_statement_outside(self, database: Database) -> None:
        with pytest.raises(NoUnitOfWork):
            _ = database.session
        with pytest.raises(NoUnitOfWork):
            database.after_commit(lambda: None)

    async def test_task_that_outlives_its_unit_cannot_use_it(self, database: Database) -> None:
        late: list[asyncio.Task[object]] = []
        gate = asyncio.Event()

        async def peep() -> object:
            await gate.wait()
            return database.session

        async def work() -> None:
            late.append(asyncio.create_task(peep()))

        await database.run(work)
        gate.set()

        with pytest.raises(NoUnitOfWork):
            await late[0]

    async def test_two_databases_do_not_mix(self, database: Database, platform: Platform) -> None:
        other = platform.database("creditx")

        async def work() -> tuple[object, object]:
            mine = await scalar(database, "select current_user")
            return mine, await other.read(lambda: scalar(other, "select current_user"))

        assert await database.run(work) == ("eco_objects", "eco_creditx")

    async def test_callbacks_come_after_the_commit_and_once(self, database: Database, platform: Platform) -> None:
        seen: list[list[object]] = []
        attempts = 0

        async def work() -> None:
            nonlocal attempts
            attempts += 1
            await add(database, AMY, 1, "one")
            database.after_commit(lambda: seen.append(all_names(platform)))
            if attempts == 1:
                await database.session.execute(text(LOSE_ONCE))

        async def fail() -> None:
            database.after_commit(lambda: seen.append(["never"]))
            raise LookupError

        with context.scope(company_id=AMY):
            await database.run(work)
            with pytest.raises(LookupError):
                await database.run(fail)

        assert seen == [["one"]]

    async def test_nothing_begins_after_the_deadline(self, database: Database) -> None:
        async def work() -> None:
            raise AssertionError("called")

        with context.scope(deadline=0.0):
            for within in (database.run, database.read):
                with pytest.raises(DeadlineExceeded):
                    await within(work)


class TestReading:
    async def test_write_is_refused(self, database: Database) -> None:
        with context.scope(company_id=AMY), pytest.raises(exc.DBAPIError, match="read-only transaction"):
            await database.read(lambda: add(database, AMY, 1))

    async def test_unit_of_work_inside_is_refused(self, database: Database) -> None:
        with pytest.raises(WriteInReading):
            await database.read(lambda: database.run(lambda: add(database, AMY, 1)))


class TestRunAgain:
    async def test_serialisation_failure_runs_the_work_again(self, database: Database, platform: Platform) -> None:
        attempts = 0

        async def work() -> int:
            nonlocal attempts
            attempts += 1
            await add(database, AMY, attempts)
            if attempts < 3:
                await database.session.execute(text(LOSE_ONCE))
            return attempts

        with context.scope(company_id=AMY):
            assert await database.run(work) == 3
        assert len(all_names(platform)) == 1

    async def test_deadlock_runs_the_loser_again(self, database: Database) -> None:
        with context.scope(company_id=AMY):
            await database.run(lambda: add(database, AMY, 1, ""))
            await database.run(lambda: add(database, AMY, 2, ""))
            both = asyncio.Barrier(2)
            attempts: list[int] = []

            async def cross(first: int, second: int) -> None:
                async def work() -> None:
                    attempts.append(first)
                    for number in (first, second):
                        await database.session.execute(
                            text("update things set name = name || '+' where id = :id"), {"id": number}
                        )
                        if number == first and len(attempts) <= 2:
                            await both.wait()

                await database.run(work)

            await asyncio.gather(cross(1, 2), cross(2, 1))

            assert len(attempts) == 3
            assert await names(database) == ["++", "++"]

    async def test_contention_without_end_is_a_transient_failure(self, platform: Platform) -> None:
        database = platform.database(SCHEMA, attempts_max=2)
        attempts = 0

        async def work() -> None:
            nonlocal attempts
            attempts += 1
            await database.session.execute(text(LOSE_ONCE))

        with pytest.raises(TooMuchContention) as caught:
            await database.run(work)

        assert (attempts, caught.value.kind) == (2, Kind.TRANSIENT)

    async def test_broken_constraint_is_the_callers_to_see(self, database: Database) -> None:
        attempts = 0

        async def work() -> None:
            nonlocal attempts
            attempts += 1
            await add(database, AMY, 1)
            await add(database, AMY, 1)

        with context.scope(company_id=AMY), pytest.raises(exc.IntegrityError):
            await database.run(work)
        assert attempts == 1


class TestFaults:
    async def test_killed_connection_is_unavailable_and_the_next_unit_works(
        self, database: Database, platform: Platform
    ) -> None:
        async def work() -> None:
            await add(database, AMY, 1)
            kill(platform, await scalar(database, "select pg_backend_pid()"))
            await database.session.execute(text("select 1"))

        with context.scope(company_id=AMY):
            with pytest.raises(DatabaseUnavailable):
                await database.run(work)
            assert all_names(platform) == []

            await database.run(lambda: add(database, AMY, 1))
        assert all_names(platform) == ["thing"]

    async def test_connections_that_died_at_rest_are_not_noticed(self, database: Database, platform: Platform) -> None:
        async def one() -> object:
            return await database.read(lambda: scalar(database, "select 1"))

        await asyncio.gather(*(one() for _ in range(4)))
        kill_all(platform)

        assert await asyncio.gather(*(one() for _ in range(4))) == [1, 1, 1, 1]

    async def test_connection_lost_in_the_commit_is_uncertain(self, database: Database, platform: Platform) -> None:
        async def work() -> None:
            await add(database, AMY, 1)
            kill(platform, await scalar(database, "select pg_backend_pid()"))

        with context.scope(company_id=AMY), pytest.raises(CommitUncertain) as caught:
            await database.run(work)
        assert caught.value.kind is Kind.UNKNOWN

    async def test_absent_server_is_unavailable(self, platform: Platform) -> None:
        settings = DatabaseSettings.model_validate({"url": "postgresql://x:y@/z?host=/tmp/eco-no-server"})
        database = Database(settings, SCHEMA)

        for call in (database.ping, database.open, database.connection):
            with pytest.raises(Unavailable):
                await call()

    async def test_too_long_a_unit_is_ended_and_nothing_kept(self, platform: Platform) -> None:
        database = platform.database(SCHEMA, transaction_timeout_seconds=0.2)

        async def busy() -> None:
            await add(database, AMY, 1)
            await database.session.execute(text("select pg_sleep(5)"))

        async def idle() -> None:
            await add(database, AMY, 1)
            await until_ended(platform)
            await database.session.execute(text("select 1"))

        with context.scope(company_id=AMY):
            for work in (busy, idle):
                with pytest.raises((UnitOfWorkTooLong, DatabaseUnavailable)):
                    await database.run(work)
        assert all_names(platform) == []

    async def test_pool_is_bounded_and_says_so(self, platform: Platform) -> None:
        database = platform.database(SCHEMA, pool_size=1, pool_wait_seconds=0.05)
        entered, leave = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            await database.session.execute(text("select 1"))
            entered.set()
            await leave.wait()

        holder = asyncio.create_task(database.read(hold))
        await entered.wait()
        with pytest.raises(ConnectionsExhausted):
            await database.ping()
        leave.set()
        await holder
        await database.ping()

    async def test_cancelled_unit_keeps_nothing_and_frees_its_connection(self, platform: Platform) -> None:
        database = platform.database(SCHEMA, pool_size=1)
        entered = asyncio.Event()

        async def hang() -> None:
            await add(database, AMY, 1)
            entered.set()
            await database.session.execute(text("select pg_sleep(30)"))

        with context.scope(company_id=AMY):
            task = asyncio.create_task(database.run(hang))
            await entered.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await database.ping()
        assert all_names(platform) == []


class TestConnections:
    async def test_never_more_than_the_pool_and_one_after_a_rest(
        self, database: Database, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 1000.0
        monkeypatch.setattr(RestingPool, "monotonic", lambda _: now)

        async def one() -> None:
            await database.read(lambda: scalar(database, "select pg_sleep(0.02)"))

        def connections() -> int:
            return len(platform.rows("select pid from pg_stat_activity where usename = %s", f"eco_{SCHEMA}"))

        await asyncio.gather(*(one() for _ in range(20)))
        assert connections() == 4
        pids = {await database.read(lambda: scalar(database, "select pg_backend_pid()")) for _ in range(20)}
        assert len(pids) == 1
        assert connections() == 4

        for _ in range(8):
            now += 31
            await one()

        async def rested() -> bool:
            return connections() == 1

        await eventually(rested)
        await asyncio.gather(*(one() for _ in range(20)))
        assert connections() == 4

    async def test_a_period_that_begins_while_one_rests_at_hand_leaves_none_without_an_owner(
        self, database: Database, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 1000.0
        monkeypatch.setattr(RestingPool, "monotonic", lambda _: now)

        async def hold() -> None:
            await (await database.driver()).execute("select pg_sleep(0.02)")

        async def by_session() -> None:
            await database.session.execute(text("select 1"))

        def connections() -> int:
            return len(platform.rows("select pid from pg_stat_activity where usename = %s", f"eco_{SCHEMA}"))

        await asyncio.gather(database.read(hold), database.read(hold))
        for _ in range(4):
            now += 31
            for work in (by_session, hold, hold):
                await database.read(work)

        async def open_now() -> int:
            return connections()

        assert await eventually(open_now, lambda number: number <= 1) == 1

    async def test_dedicated_connection_listens(self, database: Database, platform: Platform) -> None:
        async with await database.connection() as connection:
            await connection.execute("listen eco_test")
            platform.rows("select pg_notify('eco_test', 'hello')")
            async for notice in connection.notifies(timeout=PATIENCE_SECONDS, stop_after=1):
                assert notice.payload == "hello"
                break
            else:
                pytest.fail("no notification came")


async def until_ended(platform: Platform) -> None:
    """The server has ended the connections of the service."""

    async def gone() -> bool:
        return not platform.rows("select 1 from pg_stat_activity where usename = %s", f"eco_{SCHEMA}")

    await eventually(gone)
