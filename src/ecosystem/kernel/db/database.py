"""One short transaction, fenced by the company of the context, run again when the database asks for it.

What is said on the driver's connection takes as few round trips as it can; a session is laid over it only for who asks
for one.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar
from uuid import UUID

import orjson
import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import event, text
from sqlalchemy.engine import Connection as EngineConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.util import greenlet_spawn

from ecosystem.kernel import context
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.db.connection import Connection
from ecosystem.kernel.db.errors import (
    RUN_AGAIN,
    CommitUncertain,
    ConnectionsExhausted,
    DeadAtRest,
    FenceBypassed,
    NoUnitOfWork,
    WriteInReading,
    is_lost,
    sqlstate,
    translate,
)
from ecosystem.kernel.db.metrics import POOL_EXHAUSTED
from ecosystem.kernel.db.pool import RestingPool
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.db.unit import FencedSession, Unit, close, roll_back
from ecosystem.kernel.db.wakeups import Wakeups
from ecosystem.kernel.db.wire import Wire
from ecosystem.kernel.telemetry.metrics import METRICS, Metrics

T = TypeVar("T")


class Database:
    """The database as one login role sees it: `schema` first, then the kernel's functions, nothing else."""

    def __init__(
        self,
        settings: DatabaseSettings,
        schema: str,
        clock: Clock | None = None,
        *,
        metrics: Metrics = METRICS,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.settings, self.schema = settings, schema
        self._clock, self._jitter = clock or SystemClock(), jitter
        self._open: ContextVar[Unit | None] = ContextVar(f"unit_of_work_{schema}", default=None)
        self._engine = self._make_engine(metrics)
        self.wakeups = Wakeups(self.connection)

    async def open(self) -> None:
        """Connect once. Raises DatabaseUnavailable, or FenceBypassed where the role would not be fenced."""

        async def look() -> bool:
            found = await self.session.execute(
                text("select rolsuper or rolbypassrls from pg_roles where rolname = current_user")
            )
            return bool(found.scalar_one())

        if await self.read(look):
            raise FenceBypassed

    async def close(self) -> None:
        await self.wakeups.close()
        await self._dispose()

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """`work` as one unit of work: all of its statements, or nothing; inside an open one it joins that.

        `work` may be called again from its start (a serialisation failure, a connection that was already dead), so
        what it changes outside of the database it must set, not add to.

        Raises:
            TooMuchContention, UnitOfWorkTooLong, DatabaseUnavailable, ConnectionsExhausted: nothing was kept.
            CommitUncertain: the connection was lost during the commit.
            WriteInReading: called inside of `read`.
        """
        unit = self._present()
        if unit is not None:
            if unit.reading:
                raise WriteInReading
            return await work()
        context.remaining_seconds(otherwise=0.0)
        attempt = 1
        while True:
            try:
                with context.scope(unit_of_work=True):
                    value, callbacks = await self._once(Unit(reading=False), work)
            except _Again as again:
                if attempt >= self.settings.attempts_max:
                    raise again.error from again.cause
            else:
                for callback in callbacks:
                    callback()
                return value
            # Full jitter up to 10, 20, 40 ... ms: the other writer needs only to be through.
            await asyncio.sleep(self._jitter() * 0.005 * 2**attempt)
            attempt += 1

    async def read(self, work: Callable[[], Awaitable[T]]) -> T:
        """`work` in one read-only transaction with the same fence; inside an open unit it joins that.

        Slow work is not refused in it, yet it holds a connection, and `transaction_timeout_seconds` ends it.
        """
        if self._present() is not None:
            return await work()
        context.remaining_seconds(otherwise=0.0)
        attempt = 1
        while True:
            try:
                value, callbacks = await self._once(Unit(reading=True), work)
            except _Again as again:
                if attempt >= self.settings.attempts_max:
                    raise again.error from again.cause
                attempt += 1
                continue
            for callback in callbacks:
                callback()
            return value

    async def _once(self, unit: Unit, work: Callable[[], Awaitable[T]]) -> tuple[T, list[Callable[[], None]]]:
        token = self._open.set(unit)
        committing = False
        try:
            value = await work()
            committing = True
            await self._commit(unit)
            return value, unit.callbacks
        except Exception as error:
            ours = translate(error)
            if ours is None:
                raise
            if isinstance(ours, ConnectionsExhausted):
                POOL_EXHAUSTED.inc()
            at_rest = isinstance(error, DeadAtRest)
            if at_rest:
                # What else rests there is no younger: connect anew.
                await self._dispose()
            if sqlstate(error) in RUN_AGAIN or at_rest:
                raise _Again(ours, error) from error
            if is_lost(error) and committing and not unit.reading:
                raise CommitUncertain from error
            raise ours from error
        finally:
            unit.closed = True
            self._open.reset(token)
            await self._let_go(unit)

    async def driver(self) -> Connection:
        """The connection of the open `run` or `read`, for hot paths: no compilation on the way. Raises NoUnitOfWork."""
        unit = self._present()
        if unit is None:
            raise NoUnitOfWork
        if unit.driver is None:
            async with unit.opening:
                if unit.driver is None:
                    unit.driver = Connection(await self._take(unit), unit)
        elif unit.session is not None and unit.session.in_nested_transaction():
            # A session sets its savepoint at the first use of the connection: what comes now belongs behind it.
            await unit.session.connection()
        return unit.driver

    async def _take(self, unit: Unit) -> Wire:
        if unit.session is not None:
            return (await (await unit.session.connection()).get_raw_connection()).driver_connection  # type: ignore[return-value]
        unit.held = self._pool.take() or await self._engine.raw_connection()
        wire: Wire = unit.held.driver_connection  # type: ignore[assignment]
        if wire.ended_at_rest():
            raise DeadAtRest
        return wire

    @property
    def _pool(self) -> RestingPool:
        pool = self._engine.pool
        assert isinstance(pool, RestingPool)
        return pool

    async def _dispose(self) -> None:
        if (held := self._pool.clear_hand()) is not None:
            await greenlet_spawn(held.close)
        await self._engine.dispose()

    async def flush(self) -> None:
        """Write what an ORM still holds back."""
        unit = self._present()
        session = unit.session if unit is not None else None
        if session is not None and (session.new or session.dirty or session.deleted):
            await session.flush()

    async def _commit(self, unit: Unit) -> None:
        if unit.session is not None:
            await unit.session.commit()
        if unit.driver is not None and unit.held is not None:
            # A session that took a connection of its own has given it back by now.
            await unit.driver.commit()

    async def _let_go(self, unit: Unit) -> None:
        """Give the connection back as it was taken, or not at all: nothing of a transaction may stay on it."""
        try:
            if unit.session is not None:
                await asyncio.shield(close(unit.session))
        finally:
            if unit.held is not None:
                wire: Wire | None = unit.held.driver_connection
                if wire is not None and wire.info.transaction_status is not TransactionStatus.IDLE:
                    await asyncio.shield(roll_back(unit.held, wire))
                elif not self._pool.lay_back(unit.held):
                    await greenlet_spawn(unit.held.close)

    @property
    def session(self) -> AsyncSession:
        """The session of the open `run` or `read`. Raises NoUnitOfWork outside of both."""
        unit = self._present()
        if unit is None:
            raise NoUnitOfWork
        if unit.session is None:
            engine = self._engine
            bind: AsyncEngine | AsyncConnection = engine
            if unit.held is None:
                self._pool.share_hand()
            else:
                bind = AsyncConnection(engine, EngineConnection(engine.sync_engine, connection=unit.held))
            unit.session = AsyncSession(
                bind, sync_session_class=FencedSession, expire_on_commit=False, info={"unit": unit}
            )
        return unit.session

    @property
    def in_unit_of_work(self) -> bool:
        """Whether a `run` is open here."""
        unit = self._present()
        return unit is not None and not unit.reading

    @property
    def is_open(self) -> bool:
        """Whether a `run` or a `read` is open here, which what is called now would join."""
        return self._present() is not None

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when the open unit has committed; never after a rollback."""
        unit = self._present()
        if unit is None:
            raise NoUnitOfWork
        unit.callbacks.append(callback)

    @asynccontextmanager
    async def as_company(self, company_id: UUID | None) -> AsyncIterator[None]:
        """Inside of an open unit: see and write the rows of this company, then again those of the one before."""
        before = context.current().company_id
        await self.set_company(company_id)
        try:
            with context.scope(company_id=company_id):
                yield
        except BaseException:
            # Whoever catches it inside of the unit must stand behind the former fence again. Where the transaction
            # has failed it takes no statement, and what ends that (its end, or a savepoint around this) restores it.
            self.doubt_company()
            if self.is_open:
                with suppress(psycopg.Error, SQLAlchemyError):
                    await self.set_company(before)
                self.doubt_company()
            raise
        await self.set_company(before)

    async def set_company(self, company_id: UUID | None) -> None:
        """Inside of an open unit, for who changes the company from one piece of work to the next: move the fence."""
        connection, unit = await self.driver(), self._present()
        assert unit is not None
        if unit.company_known and unit.company_id == company_id:
            return
        await connection.move_fence(company_id)

    def doubt_company(self) -> None:
        """After a failure inside of an open unit: a savepoint's end may have moved the fence, so set it anew."""
        if (unit := self._present()) is not None:
            unit.company_known = False

    async def connection(self) -> Wire:
        """A connection of its own, in autocommit, for LISTEN and the like; the caller closes it.

        It has no company, so it sees no tenant's rows. Raises DatabaseUnavailable.
        """
        try:
            return await self._connect(limits=False)
        except psycopg.Error as error:
            ours = translate(error)
            raise ours or error from error

    async def ping(self) -> None:
        """Raises DatabaseUnavailable, ConnectionsExhausted."""

        async def one() -> None:
            await (await self.driver()).execute("select 1")

        await self.read(one)

    def _present(self) -> Unit | None:
        unit = self._open.get()
        return None if unit is None or unit.closed else unit

    async def _connect(self, *, limits: bool = True) -> Wire:
        settings = self.settings
        options = [f"-c search_path={self.schema},kernel,pg_temp", "-c timezone=UTC"]
        if limits:
            milliseconds = int(settings.transaction_timeout_seconds * 1000)
            options += [
                f"-c transaction_timeout={milliseconds}",
                f"-c idle_in_transaction_session_timeout={milliseconds}",
            ]
        return await Wire.connect(
            settings.url.get_secret_value(),
            # Units of work say `begin` themselves, together with their fence.
            autocommit=True,
            connect_timeout=settings.connect_timeout_seconds,
            application_name=f"ecosystem {self.schema}",
            options=" ".join(options),
        )

    def _make_engine(self, metrics: Metrics) -> AsyncEngine:
        engine = create_async_engine(
            "postgresql+psycopg://",
            async_creator=self._connect,
            poolclass=RestingPool,
            pool_size=self.settings.pool_size,
            max_overflow=0,
            pool_timeout=self.settings.pool_wait_seconds,
            pool_use_lifo=True,
            pool_reset_on_return=None,
            use_native_hstore=False,
            json_deserializer=orjson.loads,
            json_serializer=lambda value: orjson.dumps(value).decode(),
        )
        durations = metrics.database_query_duration_seconds

        @event.listens_for(engine.sync_engine, "before_cursor_execute")
        def begin(connection: EngineConnection, *_: Any) -> None:
            connection.info["began"] = time.perf_counter()

        @event.listens_for(engine.sync_engine, "after_cursor_execute")
        def end(connection: EngineConnection, _cursor: Any, statement: str, *_: Any) -> None:
            word = statement.lstrip()[:6].lower()
            operation = word if word in _OPERATIONS else "other"
            durations.labels(operation).observe(time.perf_counter() - connection.info["began"])

        return engine


_OPERATIONS = frozenset({"select", "insert", "update", "delete"})


class _Again(Exception):
    """`work` may run again: nothing of it was kept. `error` is what to raise when it may not any more."""

    def __init__(self, error: Exception, cause: BaseException) -> None:
        super().__init__(str(error))
        self.error, self.cause = error, cause
