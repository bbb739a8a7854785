"""The driver's connection beneath the open unit of work, for the hot paths of log, inbox and durable tasks."""

from ecosystem.kernel.db.connection import Connection
from ecosystem.kernel.db.database import Database

__all__ = ["Connection", "driver"]


async def driver(database: Database) -> Connection:
    """The connection of the open `run` or `read`: same transaction, same fence, no compilation on the way.

    Raises NoUnitOfWork outside of both.
    """
    return await database.driver()
