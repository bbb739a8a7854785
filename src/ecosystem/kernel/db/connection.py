"""A unit of work as the hot paths say it: what needs no answer of its own goes with what comes next.

Begin and fence go with the first statement, statements said `later` with the next one or with the commit. A reading
is no transaction for more than one statement: at the isolation of this platform (read committed) each statement sees
what is committed anyway, so each goes alone with the fence before it, and begin and commit are left out.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload
from uuid import UUID

import psycopg
from psycopg import abc
from psycopg.pq import TransactionStatus
from psycopg.rows import RowFactory, tuple_row

from ecosystem.kernel import context
from ecosystem.kernel.db.errors import DeadAtRest
from ecosystem.kernel.db.wire import Row, Rows, Statement, Values, Wire

if TYPE_CHECKING:
    from ecosystem.kernel.db.unit import Unit

_FENCE = "select set_config('eco.company_id', %s, true)"
_FENCED_READING = "select set_config('eco.company_id', %s, true), set_config('transaction_read_only', 'on', true)"
_COMMIT = Statement("commit")


class Connection:
    """The connection of one open unit of work, below any session: same transaction, same fence, no compilation."""

    def __init__(self, wire: Wire, unit: "Unit") -> None:
        self.wire, self._unit = wire, unit
        self._waiting: list[Statement] = []

    @overload
    async def execute(self, statement: abc.QueryNoTemplate, values: Values = None) -> Rows[Any]: ...

    @overload
    async def execute(
        self, statement: abc.QueryNoTemplate, values: Values = None, *, row_factory: RowFactory[Row]
    ) -> Rows[Row]: ...

    async def execute(
        self, statement: abc.QueryNoTemplate, values: Values = None, *, row_factory: RowFactory[Any] = tuple_row
    ) -> Rows[Any]:
        """The answer to `statement`; what waits goes before it, in the same round trip.

        Raises:
            DeadAtRest: the connection had ended before it was used; nothing was done.
            psycopg.Error: of this statement or of one that waited.
        """
        return await self._say(Statement(statement, values, row_factory))

    async def later(
        self, statement: abc.QueryNoTemplate, values: Values = None, row_factory: RowFactory[Any] = tuple_row,
        then: Callable[[list[Any]], object] | None = None,
    ) -> None:  # fmt: skip
        """Say `statement` with the next one or with the commit; `then` is given its rows, at the latest by the commit.

        What it fails with is raised there, and nothing of the unit of work is kept. Beside a session, whose
        statements know nothing of what waits here, it is said now.
        """
        self._waiting.append(Statement(statement, values, row_factory, then))
        if self._unit.session is not None:
            await self._settle()

    async def begin(self) -> None:
        """Be a transaction from now on, also in a reading, and say what waits: for a session that is laid over it."""
        self._unit.transaction = True
        await self._settle()

    async def commit(self) -> None:
        """End the transaction together with what waits; nothing where none was begun. Raises as `execute` does."""
        if not self._waiting and (not self._unit.begun or self.wire.info.transaction_status is TransactionStatus.IDLE):
            return
        await self._say(*([_COMMIT] if self._unit.transaction else []))

    async def _settle(self) -> None:
        """Say what waits now, and begin where that was not done."""
        if self._waiting or not self._unit.begun:
            await self._say()

    async def _say(self, *statements: Statement) -> Rows[Any]:
        first, commits = not self._unit.used, _COMMIT in statements
        try:
            return await self.wire.together([*self._before(), *statements])
        except psycopg.Error as error:
            # Without its commit nothing of it stays; else the server says what it has done before it says that it goes.
            if first and self.wire.closed and (not commits or self.wire.nothing_done):
                raise DeadAtRest from error
            raise

    async def move_fence(self, company_id: UUID | None) -> None:
        """See and write the rows of this company from now on."""
        unit = self._unit
        unit.company_known, unit.company_id = True, company_id
        if unit.begun:
            await self.later(_FENCE, (_text(company_id),))

    def _before(self) -> list[Statement]:
        """What is said before the next statement."""
        unit = self._unit
        unit.used = True
        if not unit.begun and not unit.company_known:
            unit.company_known, unit.company_id = True, context.current().company_id
        said, self._waiting = self._waiting, []
        if unit.begun:
            return said
        company = (_text(unit.company_id),)
        if not unit.transaction:
            return [Statement(_FENCED_READING, company), *said]
        unit.begun = True
        return [Statement("begin read only" if unit.reading else "begin"), Statement(_FENCE, company), *said]


def _text(company_id: UUID | None) -> str:
    return "" if company_id is None else str(company_id)
