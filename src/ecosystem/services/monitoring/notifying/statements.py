"""Statements on the driver's connection of the open unit of work, with the company of the fence among their values."""

from typing import Any, TypeVar
from uuid import UUID

from psycopg.rows import class_row

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver

T = TypeVar("T")


class Statements:
    """What repositories of this service are made of. Every method runs inside `database.run` or `read`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def _rows(self, kind: type[T], statement: str, company_id: UUID, **values: Any) -> list[T]:
        """Each row as a `kind`, by the names of its columns."""
        connection = await driver(self._database)
        cursor = await connection.execute(
            statement.encode(), {**values, "company_id": company_id}, row_factory=class_row(kind)
        )
        return await cursor.fetchall()

    async def _execute(self, statement: str, company_id: UUID, **values: Any) -> int:
        """How many rows it changed."""
        connection = await driver(self._database)
        done = await connection.execute(statement.encode(), {**values, "company_id": company_id})
        return done.rowcount
