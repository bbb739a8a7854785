"""A small tenant table in a service's schema, for tests of the fence and of the unit of work."""

from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import text

from ecosystem.kernel.db import ddl
from ecosystem.kernel.db.database import Database
from tests.kernel.db.fixtures import Platform

SCHEMA = "objects"
AMY = UUID("00000000-0000-7000-8000-00000000000a")
BOB = UUID("00000000-0000-7000-8000-00000000000b")


def make_things(admin_url: str) -> None:
    """`things(company_id, id, name)` and its `parts`, as a migration of the service would make them."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("set role eco_owner")
        connection.execute(f"set search_path = {SCHEMA}, kernel")
        connection.execute(
            "create table things (company_id uuid not null, id integer not null, name text not null,"
            " primary key (company_id, id));"
            "create table parts (company_id uuid not null, id integer not null, thing_id integer not null,"
            " primary key (company_id, id),"
            " foreign key (company_id, thing_id) references things (company_id, id))"
        )
        connection.execute(ddl.fence("things"))
        connection.execute(ddl.fence(f"{SCHEMA}.parts"))


async def add(database: Database, company_id: UUID, number: int, name: str = "thing") -> None:
    await database.session.execute(
        text("insert into things (company_id, id, name) values (:company, :id, :name)"),
        {"company": company_id, "id": number, "name": name},
    )


async def names(database: Database) -> list[str]:
    """The names that the present company sees."""

    async def work() -> list[str]:
        return list((await database.session.execute(text("select name from things order by id"))).scalars())

    return await database.read(work)


def all_names(platform: Platform) -> list[Any]:
    """The names of every company, seen by the superuser."""
    return [row[0] for row in platform.rows(f"select name from {SCHEMA}.things order by company_id, id")]
