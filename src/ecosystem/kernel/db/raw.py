"""The driver's connection beneath the open unit of work, for the hot paths of log, inbox and durable tasks."""

from typing import Any

import psycopg

from ecosystem.kernel.db.database import Database

Connection = psycopg.AsyncConnection[Any]


async def driver(database: Database) -> Connection:
    """The psycopg connection of the open `run` or `read`: same transaction, same fence, no compilation on the way.

    Raises NoUnitOfWork outside of both.
    """
    return await database.driver()
