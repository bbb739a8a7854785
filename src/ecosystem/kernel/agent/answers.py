"""Recorded answers: a task with an effect answers once, however often and wherever it is asked."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from ecosystem.kernel.agent.card import Result, Task
from ecosystem.kernel.agent.message import RequestIdReused
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.raw import driver

R = TypeVar("R", bound=Result)

_FIND = "select fingerprint, result from answers where company_id = %s and agent_id = %s and request_id = %s"
# The key makes a second transaction with the same request wait for the first, and then fail.
_ADD = "insert into answers (company_id, agent_id, request_id, fingerprint, result) values (%s, %s, %s, %s, %s)"
_FORGET = "select forget_answers(make_interval(secs => %s), %s)"
FORGET_ROWS_MAX = 5000


@dataclass(frozen=True)
class Question:
    """What identifies a request (`request_id` of one agent in one company) and what it asked (`fingerprint`)."""

    company_id: UUID
    agent_id: str
    request_id: str
    fingerprint: bytes

    def key(self) -> tuple[object, ...]:
        return self.company_id, self.agent_id, self.request_id


class Answers:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, question: Question, task: type[Task]) -> Result | None:
        """The recorded answer. Raises RequestIdReused where this request_id asked something else."""
        return await self._database.read(lambda: self._find(question, task))

    async def _find(self, question: Question, task: type[Task]) -> Result | None:
        cursor = await (await driver(self._database)).execute(_FIND, question.key())
        found = await cursor.fetchone()
        if found is None:
            return None
        if bytes(found[0]) != question.fingerprint:
            raise RequestIdReused
        return task.result.model_validate_json(found[1])

    async def commit(self, question: Question, task: type[Task], work: Callable[[], Awaitable[R]]) -> Result:
        """`work` and its record in one unit of work; or, where there is a record already, that record."""

        async def once() -> R:
            result = await work()
            # What an ORM still holds back belongs before the record.
            await self._database.flush()
            record = (*question.key(), question.fingerprint, result.model_dump_json())
            await (await driver(self._database)).later(_ADD, record)
            return result

        try:
            return await self._database.run(once)
        except Exception:
            # Whatever it was, and not only the key: the effect of the first one may be what `work` stumbled over.
            found = await self.find(question, task)
            if found is None:
                raise
            return found

    async def forget(self, older_than_seconds: float) -> int:
        """Remove answers so old that nobody asks again, of all companies, in batches; how many."""
        removed = 0
        while True:
            batch = await self._database.run(lambda: self._forget(older_than_seconds))
            removed += batch
            if batch < FORGET_ROWS_MAX:
                return removed

    async def _forget(self, seconds: float) -> int:
        cursor = await (await driver(self._database)).execute(_FORGET, (seconds, FORGET_ROWS_MAX))
        found = await cursor.fetchone()
        return int(found[0]) if found else 0


class AnswerRecorder:
    """The recorder of one call; `committed` says whether its handler came by."""

    def __init__(self, answers: Answers, question: Question, task: type[Task]) -> None:
        self._answers, self._question, self._task = answers, question, task
        self.committed = False

    async def commit(self, work: Callable[[], Awaitable[R]]) -> R:
        result = await self._answers.commit(self._question, self._task, work)
        self.committed = True
        return result  # type: ignore[return-value]  # the record of this task is of its result type
