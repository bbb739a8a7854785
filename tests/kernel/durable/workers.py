"""A worker in a process of its own, for tests that kill or freeze it: `python -m … PROGRAM VALUES`.

Its second step goes on when its standard input ends.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import SecretStr
from sqlalchemy import text

from ecosystem.kernel import context
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.durable.settings import DurableSettings
from ecosystem.kernel.durable.task import TaskContext
from ecosystem.kernel.durable.worker import DurableWorker


async def mark(database: Database, what: str) -> str:
    """Leave a mark in the open unit of work."""
    company = context.current().company_id
    await database.session.execute(
        text("insert into marks (company_id, mark) values (:company, :mark)"), {"company": company, "mark": what}
    )
    return what


async def nothing() -> None:
    """What is done at once."""


def three_steps(database: Database, name: str, work: Callable[[], Awaitable[object]] = nothing) -> Any:
    """first (in the database), second (outside, with `work`), third (in the database)."""

    async def handler(task: TaskContext) -> str:
        await task.database_step("first", lambda: mark(database, f"{name}: first"))

        async def outside() -> str:
            await database.run(lambda: mark(database, f"{name}: second"))
            await work()
            return name

        await task.step("second", outside)
        await task.database_step("third", lambda: mark(database, f"{name}: third"))
        return name

    return handler


async def main() -> None:
    values = json.loads(sys.argv[2])
    database = Database(DatabaseSettings(url=SecretStr(os.environ["DATABASE_URL"])), "orchestrator")
    handler = three_steps(database, values["name"], lambda: asyncio.to_thread(sys.stdin.read))
    worker = DurableWorker(
        database, "orchestrator", {sys.argv[1]: handler}, lease_seconds=values.get("lease_seconds", 30),
        settings=DurableSettings(watch_seconds=0.2),
    )  # fmt: skip
    await worker.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main())
