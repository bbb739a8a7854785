"""Several statements in one round trip: libpq's pipeline beneath psycopg's connection.

psycopg's own pipeline block costs more than it saves where there are two or three statements; here a batch is written
at once and read at once. Source: PostgreSQL, libpq, "Pipeline Mode"; what stands between two Syncs of the protocol is
one transaction where none is open.
"""

import select
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import abc, adapt, pq
from psycopg._queries import PostgresQuery
from psycopg.errors import error_from_result
from psycopg.rows import RowFactory, tuple_row
from psycopg.waiting import Ready

Values = Sequence[Any] | Mapping[str, Any] | None
Row = TypeVar("Row")

_PREPARED_MAX = 256
_LAST_WORDS_MAX = 4
_BINARY = pq.Format.BINARY
"""How values come back: neither side writes them as text."""
_READ, _BOTH = int(Ready.R), int(Ready.RW)


class Rows(Generic[Row]):
    """What one statement answered. Its methods are those of a cursor; nothing is waited for any more."""

    def __init__(self, rowcount: int, rows: list[Row]) -> None:
        self.rowcount, self._rows = rowcount, iter(rows)

    async def fetchone(self) -> Row | None:
        """The next row, or None."""
        return next(self._rows, None)

    async def fetchall(self) -> list[Row]:
        """The rows that were not fetched yet."""
        return list(self._rows)


@dataclass(frozen=True)
class Statement:
    """`then` is given the rows as soon as they are there."""

    text: abc.QueryNoTemplate
    values: Values = None
    row_factory: RowFactory[Any] = tuple_row
    then: Callable[[list[Any]], object] | None = None


@dataclass(frozen=True)
class _Shape:
    """What psycopg's factories of rows look at in a cursor."""

    pgresult: pq.abc.PGresult
    _encoding: str = "utf-8"


_Key = tuple[bytes, tuple[int, ...]]
"""A statement: its text and the types of its values."""


class Wire(psycopg.AsyncConnection[Any]):
    """psycopg's connection, usable as ever, that can also say several statements at once."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # A statement is kept in the session from its second time on: what is said once is not worth its memory there.
        self._said: OrderedDict[_Key, bytes | None] = OrderedDict()
        self._numbers = 0
        self._transformer: abc.Transformer | None = None
        self._rest: select.poll | None = None
        self.nothing_done = False
        """Whether the last batch failed with its first statement, or the server went away before that."""

    async def together(self, statements: Sequence[Statement]) -> Rows[Any]:
        """The answer to the last of them; a transaction of their own where none is open.

        The first that fails is raised, and what comes after it is not done. Raises psycopg.Error as a cursor does.
        """
        # Before anything is written: what cannot be adapted is refused without harm to the connection.
        queries = [self._query(said) for said in statements]
        async with self.lock:
            self.nothing_done = False
            sent: list[Statement | _Key | None] = []
            self.pgconn.enter_pipeline_mode()
            try:
                for said, query in zip(statements, queries, strict=True):
                    sent += self._send(said, query)
                self.pgconn.pipeline_sync()
                results = await self.wait(_results(self.pgconn))
            except BaseException:
                self._doubt(sent)
                raise
            finally:
                self._leave_pipeline()
            self._check(sent, results)
            for one, result in zip(sent, results, strict=True):
                if isinstance(one, Statement) and one.then is not None:
                    one.then(await self._rows(result, one.row_factory).fetchall())
            return self._rows(results[-1], statements[-1].row_factory)

    def ended_at_rest(self) -> bool:
        """Whether the server has gone away since the last answer, as far as that can be seen without asking it."""
        if self.closed:
            return True
        if self._rest is None:
            self._rest = select.poll()
            self._rest.register(self.pgconn.socket, select.POLLIN)
        # Last words of the server, then the end.
        for _ in range(_LAST_WORDS_MAX):
            if self.closed or not self._rest.poll(0):
                break
            with suppress(psycopg.OperationalError):
                self.pgconn.consume_input()
        return self.closed

    def _query(self, said: Statement) -> PostgresQuery:
        if self._transformer is None:
            self._transformer = adapt.Transformer(self)
        query = PostgresQuery(self._transformer)
        query.convert(said.text, said.values)
        return query

    def _send(self, said: Statement, query: PostgresQuery) -> Iterator["Statement | _Key | None"]:
        """Write one statement; for each message that will be answered, what it was for: its key stands for a name."""
        key = query.query, query.types
        if key not in self._said:
            yield from self._note(key)
            self.pgconn.send_query_params(query.query, query.params, query.types, query.formats, _BINARY)
            yield said
            return
        name = self._said[key]
        if name is None:
            self._numbers += 1
            name = self._said[key] = b"eco_%d" % self._numbers
            self.pgconn.send_prepare(name, query.query, query.types)
            yield key
        self._said.move_to_end(key)
        self.pgconn.send_query_prepared(name, query.params, query.formats, _BINARY)
        yield said

    def _check(self, sent: Sequence["Statement | _Key | None"], results: Sequence[pq.abc.PGresult]) -> None:
        """Raise what the server refused."""
        for number, result in enumerate(results):
            if result.status == pq.ExecStatus.FATAL_ERROR:
                self.nothing_done = number == 0
                self._doubt(sent[number:])
                raise error_from_result(result)

    def _doubt(self, sent: Sequence["Statement | _Key | None"]) -> None:
        """Names that the session may not know: these statements get others."""
        for one in sent:
            if isinstance(one, tuple) and one in self._said:
                self._said[one] = None

    def _note(self, key: "_Key") -> Iterator[None]:
        """Remember that a statement was said, and forget the one that was not for the longest time."""
        self._said[key] = None
        if len(self._said) > _PREPARED_MAX:
            _, name = self._said.popitem(last=False)
            if name is not None:
                self.pgconn.send_query_params(b"deallocate " + name, None)
                yield None

    def _deallocate(self, name: bytes | None) -> abc.PQGen[None]:
        """psycopg's own housekeeping: after a rollback it has the session forget every statement, ours as well."""
        if name is None:
            self._said.clear()
        return super()._deallocate(name)

    def _leave_pipeline(self) -> None:
        try:
            self.pgconn.exit_pipeline_mode()
        except psycopg.OperationalError:
            # Answers that nobody will fetch: whoever was to read them was cancelled.
            self.pgconn.finish()

    def _rows(self, result: pq.abc.PGresult, row_factory: RowFactory[Any]) -> Rows[Any]:
        count = result.command_tuples
        rowcount = -1 if count is None else count
        if not result.ntuples:
            return Rows(rowcount, [])
        assert self._transformer is not None
        self._transformer.set_pgresult(result)
        shape: Any = _Shape(result)
        make: Any = tuple if row_factory is tuple_row else row_factory(shape)
        return Rows(rowcount, self._transformer.load_rows(0, result.ntuples, make))


def _results(pgconn: pq.abc.PGconn) -> abc.PQGen[list[pq.abc.PGresult]]:
    """What was answered up to the Sync; where the connection ends before it, its last word is an error."""
    results: list[pq.abc.PGresult] = []
    while pgconn.flush():
        if (yield _BOTH) in (_READ, _BOTH):  # type: ignore[misc]
            pgconn.consume_input()
    while True:
        yield _READ  # type: ignore[misc]
        try:
            pgconn.consume_input()
        except psycopg.OperationalError:
            # What the server said before it went may say why.
            while (last := pgconn.get_result()) is not None:
                results.append(last)
            if not results or results[-1].status != pq.ExecStatus.FATAL_ERROR:
                raise
            return results
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                # Stands after each answer, and for ever where the connection has ended.
                if pgconn.status == pq.ConnStatus.BAD:
                    raise psycopg.OperationalError("the connection was lost")
            elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                return results
            else:
                results.append(result)
