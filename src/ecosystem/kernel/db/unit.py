"""What one open unit of work is made of: its connection, its fence, and a session for who asks for one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection as EngineConnection
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import await_only, greenlet_spawn

from ecosystem.kernel.db.connection import Connection
from ecosystem.kernel.db.wire import Wire


@dataclass(eq=False)
class Unit:
    """What is open. `used`: something was said; `transaction`: it is one, which a reading need not be; `begun`: the
    database was told so; `closed`: for whoever kept the context too long.

    `held` is the pool's, where it was taken for the driver; a session that came first has taken its own, whose driver
    is then `driver` too.
    `company_id` is that of the fence, while that is known: a savepoint that was rolled back may have moved it.
    """

    reading: bool
    transaction: bool = False
    used: bool = False
    begun: bool = False
    closed: bool = False
    held: PoolProxiedConnection | None = None
    driver: Connection | None = None
    company_known: bool = False
    company_id: UUID | None = None
    session: AsyncSession | None = None
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    callbacks: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.transaction = not self.reading


class FencedSession(Session):
    """Begins and sets the company where the driver has not; a savepoint inherits both."""


@event.listens_for(FencedSession, "after_begin")
def _begin(session: Session, transaction: SessionTransaction, connection: EngineConnection) -> None:
    unit: Unit = session.info["unit"]
    if transaction.nested:
        return
    if unit.driver is None:
        wire: Wire = connection.connection.driver_connection  # type: ignore[assignment]
        unit.driver = Connection(wire, unit)
    await_only(unit.driver.begin())


async def close(session: AsyncSession) -> None:
    """Give back what the session holds, or throw it away where even that fails."""
    try:
        await session.close()
    except exc.DBAPIError:
        await session.invalidate()


async def roll_back(held: PoolProxiedConnection, wire: Wire) -> None:
    """End the transaction that is open on `wire` and give its place in the pool back, or throw it away."""
    try:
        await wire.rollback()
    except psycopg.Error:
        await greenlet_spawn(held.invalidate)
    await greenlet_spawn(held.close)
