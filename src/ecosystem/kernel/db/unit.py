"""What one open unit of work is made of: its connection, its fence, and a session for who asks for one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import await_only, greenlet_spawn

from ecosystem.kernel import context
from ecosystem.kernel.db.errors import DeadAtRest


@dataclass(eq=False)
class Unit:
    """What is open: `begun` once the database has said so, `closed` for whoever kept the context too long.

    `connection` is the pool's, where it was taken for the driver; a session that came first has taken its own,
    whose driver is then `driver` too.
    `company_id` is that of the fence, while that is known: a savepoint that was rolled back may have moved it.
    """

    reading: bool
    begun: bool = False
    closed: bool = False
    connection: PoolProxiedConnection | None = None
    driver: psycopg.AsyncConnection[Any] | None = None
    company_known: bool = False
    company_id: UUID | None = None
    session: AsyncSession | None = None
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    callbacks: list[Callable[[], None]] = field(default_factory=list)

    async def begin(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Begin and set the company, in one round trip. Raises DeadAtRest."""
        company_id = context.current().company_id
        # The text of a UUID: nothing in it could end the quotes.
        company = "" if company_id is None else UUID(str(company_id))
        mode = " read only" if self.reading else ""
        try:
            # Two statements cannot be prepared.
            await connection.execute(f"begin{mode}; set local eco.company_id = '{company}'".encode(), prepare=False)
        except psycopg.Error as error:
            if connection.closed:
                raise DeadAtRest from error
            raise
        self.begun, self.company_known, self.company_id = True, True, company_id


class FencedSession(Session):
    """Begins and sets the company where the driver has not; a savepoint inherits both."""


@event.listens_for(FencedSession, "after_begin")
def _begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    unit: Unit = session.info["unit"]
    if not (transaction.nested or unit.begun):
        held: psycopg.AsyncConnection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
        await_only(unit.begin(held))
        unit.driver = held


async def close(session: AsyncSession) -> None:
    """Give back what the session holds, or throw it away where even that fails."""
    try:
        await session.close()
    except exc.DBAPIError:
        await session.invalidate()


async def roll_back(connection: PoolProxiedConnection, held: psycopg.AsyncConnection[Any]) -> None:
    """End the transaction that is open on `held` and give its place in the pool back, or throw it away."""
    try:
        await held.rollback()
    except psycopg.Error:
        await greenlet_spawn(connection.invalidate)
    await greenlet_spawn(connection.close)
