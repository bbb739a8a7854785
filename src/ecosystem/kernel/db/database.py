"""One short transaction, fenced by the company of the context, run again when the database asks for it."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import orjson
import psycopg
from sqlalchemy import event, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, SessionTransaction

from ecosystem.kernel import context
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.db.errors import (
    RUN_AGAIN,
    CommitUncertain,
    FenceBypassed,
    NoUnitOfWork,
    WriteInReading,
    is_lost,
    sqlstate,
    translate,
    was_dead_at_rest,
)
from ecosystem.kernel.db.pool import RestingPool
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.db.wakeups import Wakeups
from ecosystem.kernel.telemetry.metrics import METRICS, Metrics

T = TypeVar("T")

_FENCE = "select set_config('eco.company_id', %s, true)"
_FENCE_READING = "select set_config('eco.company_id', %s, true), set_config('transaction_read_only', 'on', true)"


class _FencedSession(Session):
    """Sets the company at the begin of each transaction; a savepoint inherits it."""


@event.listens_for(_FencedSession, "after_begin")
def _raise_the_fence(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    if transaction.nested:
        return
    unit: _Unit = session.info["unit"]
    company_id = context.current().company_id
    statement = _FENCE_READING if unit.reading else _FENCE
    connection.exec_driver_sql(statement, ("" if company_id is None else str(company_id),))
    unit.begun = True


@dataclass(eq=False)
class _Unit:
    """What is open: `begun` once the first statement was answered, `closed` for whoever kept the context too long."""

    reading: bool
    begun: bool = False
    closed: bool = False
    session: AsyncSession | None = None
    callbacks: list[Callable[[], None]] = field(default_factory=list)


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
        self._open: ContextVar[_Unit | None] = ContextVar(f"unit_of_work_{schema}", default=None)
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
        await self._engine.dispose()

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
                    value, callbacks = await self._once(_Unit(reading=False), work)
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
                value, callbacks = await self._once(_Unit(reading=True), work)
            except _Again as again:
                if attempt >= self.settings.attempts_max:
                    raise again.error from again.cause
                attempt += 1
                continue
            for callback in callbacks:
                callback()
            return value

    async def _once(self, unit: _Unit, work: Callable[[], Awaitable[T]]) -> tuple[T, list[Callable[[], None]]]:
        token = self._open.set(unit)
        committing = False
        session = AsyncSession(
            self._engine, sync_session_class=_FencedSession, expire_on_commit=False, info={"unit": unit}
        )
        unit.session = session
        try:
            async with session:
                value = await work()
                committing = True
                await session.commit()
            return value, unit.callbacks
        except Exception as error:
            ours = translate(error)
            if ours is None:
                raise
            lost = is_lost(error)
            if sqlstate(error) in RUN_AGAIN or (not unit.begun and was_dead_at_rest(error)):
                raise _Again(ours, error) from error
            if lost and committing and not unit.reading:
                raise CommitUncertain from error
            raise ours from error
        finally:
            unit.closed = True
            self._open.reset(token)

    @property
    def session(self) -> AsyncSession:
        """The session of the open `run` or `read`. Raises NoUnitOfWork outside of both."""
        unit = self._present()
        if unit is None or unit.session is None:
            raise NoUnitOfWork
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
        await self._set_company(company_id)
        try:
            with context.scope(company_id=company_id):
                yield
        except BaseException:
            # Whoever catches it inside of the unit must stand behind the former fence again. Where the transaction
            # has failed it takes no statement, and what ends that (its end, or a savepoint around this) restores it.
            with suppress(SQLAlchemyError):
                await self._set_company(before)
            raise
        await self._set_company(before)

    async def _set_company(self, company_id: UUID | None) -> None:
        await self.session.execute(
            text("select set_config('eco.company_id', :company, true)"),
            {"company": "" if company_id is None else str(company_id)},
        )

    async def connection(self) -> psycopg.AsyncConnection[Any]:
        """A connection of its own, in autocommit, for LISTEN and the like; the caller closes it.

        It has no company, so it sees no tenant's rows. Raises DatabaseUnavailable.
        """
        try:
            return await self._connect(autocommit=True, limits=False)
        except psycopg.Error as error:
            ours = translate(error)
            raise ours or error from error

    async def ping(self) -> None:
        """Raises DatabaseUnavailable, ConnectionsExhausted."""

        async def one() -> None:
            await self.session.execute(text("select 1"))

        await self.read(one)

    def _present(self) -> _Unit | None:
        unit = self._open.get()
        return None if unit is None or unit.closed else unit

    async def _connect(self, *, autocommit: bool = False, limits: bool = True) -> psycopg.AsyncConnection[Any]:
        settings = self.settings
        options = [f"-c search_path={self.schema},kernel,pg_temp", "-c timezone=UTC"]
        if limits:
            milliseconds = int(settings.transaction_timeout_seconds * 1000)
            options += [
                f"-c transaction_timeout={milliseconds}",
                f"-c idle_in_transaction_session_timeout={milliseconds}",
            ]
        return await psycopg.AsyncConnection.connect(
            settings.url.get_secret_value(),
            autocommit=autocommit,
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
            use_native_hstore=False,
            json_deserializer=orjson.loads,
            json_serializer=lambda value: orjson.dumps(value).decode(),
        )
        durations = metrics.database_query_duration_seconds

        @event.listens_for(engine.sync_engine, "before_cursor_execute")
        def begin(connection: Connection, *_: Any) -> None:
            connection.info["began"] = time.perf_counter()

        @event.listens_for(engine.sync_engine, "after_cursor_execute")
        def end(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
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
