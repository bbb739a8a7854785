"""Goal: the database fences each company. Method: two companies, a real login role, everything a program may forget."""

import asyncio
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import exc, text

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.errors import FenceBypassed
from ecosystem.kernel.db.settings import DatabaseSettings
from tests.kernel.db.fixtures import Platform
from tests.kernel.db.things import AMY, BOB, SCHEMA, add, all_names, names

FORBIDDEN = (
    "create table mine (id integer)",
    "create temporary table things (id integer)",
    "create table public.mine (id integer)",
    "alter table things disable row level security",
    "drop policy company on things",
    "set role eco_owner",
    "set role eco_relay",
    "insert into kernel.services values ('x', 'y', 'z')",
    "update kernel.instances set weight = 0",
    "delete from kernel.migrated",
    "select kernel.fence('things')",
)


@pytest.fixture
async def database(platform: Platform) -> Database:
    database = platform.database(SCHEMA)
    for company_id, name in ((AMY, "amy's"), (BOB, "bob's")):
        await write(database, company_id, 1, name)
    return database


async def write(database: Database, company_id: UUID, number: int, name: str = "thing") -> None:
    with context.scope(company_id=company_id):
        await database.run(lambda: add(database, company_id, number, name))


class TestFence:
    async def test_each_company_sees_its_own_rows_only(self, database: Database) -> None:
        for company_id, name in ((AMY, "amy's"), (BOB, "bob's")):
            with context.scope(company_id=company_id):
                assert await names(database) == [name]

    async def test_no_company_means_no_rows(self, database: Database) -> None:
        assert await names(database) == []

    async def test_company_of_a_connection_does_not_outlive_its_transaction(self, platform: Platform) -> None:
        database = platform.database(SCHEMA, pool_size=1)
        await write(database, AMY, 1)

        assert await names(database) == []

    async def test_row_of_another_company_cannot_be_written(self, database: Database, platform: Platform) -> None:
        with context.scope(company_id=AMY), pytest.raises(exc.ProgrammingError, match="row-level security"):
            await database.run(lambda: add(database, BOB, 2))

        assert all_names(platform) == ["amy's", "bob's"]

    async def test_row_of_another_company_cannot_be_changed_or_deleted(
        self, database: Database, platform: Platform
    ) -> None:
        async def spoil() -> None:
            await database.session.execute(text("update things set name = 'spoilt'"))
            await database.session.execute(text("delete from things where name <> 'spoilt'"))

        with context.scope(company_id=AMY):
            await database.run(spoil)

        assert all_names(platform) == ["spoilt", "bob's"]

    async def test_reference_across_companies_is_refused(self, database: Database) -> None:
        await write(database, BOB, 7)

        async def point() -> None:
            await database.session.execute(
                text("insert into parts (company_id, id, thing_id) values (:company, 1, 7)"), {"company": AMY}
            )

        with context.scope(company_id=AMY), pytest.raises(exc.IntegrityError):
            await database.run(point)

    async def test_savepoint_keeps_the_fence(self, database: Database) -> None:
        async def work() -> list[str]:
            with pytest.raises(exc.IntegrityError):
                async with database.session.begin_nested():
                    await add(database, AMY, 1)
            return list((await database.session.execute(text("select name from things"))).scalars())

        with context.scope(company_id=AMY):
            assert await database.run(work) == ["amy's"]

    async def test_company_can_change_inside_of_a_unit_of_work(self, database: Database) -> None:
        async def work() -> list[list[str]]:
            seen = []
            for company_id in (AMY, BOB):
                async with database.as_company(company_id):
                    seen.append(await names(database))
            return [*seen, await names(database)]

        assert await database.run(work) == [["amy's"], ["bob's"], []]

    async def test_company_before_is_back_after_a_failure_that_is_caught(self, database: Database) -> None:
        async def work() -> list[list[str]]:
            seen = []
            with pytest.raises(LookupError):
                async with database.as_company(BOB):
                    raise LookupError
            seen.append(await names(database))
            with pytest.raises(exc.IntegrityError):
                async with database.session.begin_nested(), database.as_company(BOB):
                    await add(database, BOB, 1)
            seen.append(await names(database))
            async with database.as_company(BOB):
                with pytest.raises(exc.IntegrityError):
                    async with database.session.begin_nested(), database.as_company(AMY):
                        await add(database, AMY, 1)
                seen.append(await names(database))
            return [*seen, await names(database)]

        with context.scope(company_id=AMY):
            assert await database.run(work) == [["amy's"], ["amy's"], ["bob's"], ["amy's"]]

    async def test_time_that_runs_out_inside_of_another_company_leaves_no_way_on(self, database: Database) -> None:
        """A statement that was cut off has failed the transaction: nothing can be read behind the wrong fence."""

        async def work() -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05), database.as_company(BOB):
                    await database.session.execute(text("select pg_sleep(5)"))
            await names(database)

        with context.scope(company_id=AMY), pytest.raises(exc.SQLAlchemyError):
            await database.run(work)

    async def test_connection_of_its_own_sees_no_rows(self, database: Database) -> None:
        async with await database.connection() as connection:
            with context.scope(company_id=AMY):
                found = await connection.execute("select * from things")

            assert await found.fetchall() == []

    async def test_owner_is_fenced_by_force_but_has_a_policy(self, database: Database, platform: Platform) -> None:
        found = platform.rows(
            "select c.relrowsecurity, c.relforcerowsecurity, array_agg(p.polname::text order by 1)"
            " from pg_class c join pg_policy p on p.polrelid = c.oid where c.relname = 'things' group by 1, 2"
        )

        assert found == [(True, True, ["company", "owner"])]


class TestRoles:
    async def test_role_sees_its_own_schema_only(self, database: Database, platform: Platform) -> None:
        other = platform.database("creditx")

        async def peep() -> None:
            await other.session.execute(text(f"select * from {SCHEMA}.things"))

        with pytest.raises(exc.ProgrammingError, match="permission denied for schema"):
            await other.read(peep)

    async def test_role_may_not_change_what_fences_it(self, database: Database, platform: Platform) -> None:
        # A copied database forgets what the template granted on itself.
        platform.rows(f"revoke all on database {platform.name} from public")
        platform.rows(f"grant connect on database {platform.name} to eco_service")

        for statement in FORBIDDEN:

            async def work(statement: str = statement) -> None:
                await database.session.execute(text(statement))

            with context.scope(company_id=AMY), pytest.raises(exc.ProgrammingError):
                await database.run(work)

    async def test_search_path_is_the_service_then_the_kernel_then_nothing(self, database: Database) -> None:
        async def work() -> str:
            return str((await database.session.execute(text("show search_path"))).scalar_one())

        assert await database.read(work) == f"{SCHEMA}, kernel, pg_temp".replace(" ", "")

    async def test_superuser_is_refused_as_a_login_of_a_service(self, platform: Platform) -> None:
        database = Database(DatabaseSettings.model_validate({"url": platform.admin_url}), SCHEMA)
        try:
            with pytest.raises(FenceBypassed, match="superuser"):
                await database.open()
        finally:
            await database.close()

    async def test_password_never_reaches_the_server_as_text(self, platform: Platform) -> None:
        stored = platform.rows("select rolpassword from pg_authid where rolname = 'eco_objects'")[0][0]

        assert stored.startswith("SCRAM-SHA-256$4096:")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(platform.url("eco_objects"), password="guess")

    async def test_backup_reads_past_the_fence(self, database: Database, platform: Platform) -> None:
        with psycopg.connect(platform.url("eco_backup")) as connection:
            found = connection.execute(f"select name from {SCHEMA}.things order by 1").fetchall()

        assert found == [("amy's",), ("bob's",)]

    async def test_migrator_becomes_the_owner(self, platform: Platform) -> None:
        with psycopg.connect(platform.url("eco_migrator")) as connection:
            connection.execute("set role eco_owner")
            connection.execute(f"create table {SCHEMA}.made (id integer)")
            found = connection.execute("select tableowner from pg_tables where tablename = 'made'").fetchall()

        assert found == [("eco_owner",)]
