"""The door for timers: ended tasks of durable execution are removed; runs and their history stay."""

from datetime import timedelta

from sqlalchemy import text

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.runtime.service import Job


def jobs(database: Database, forget_every: timedelta) -> tuple[Job, ...]:
    async def forget() -> None:
        async def work() -> None:
            await database.session.execute(text("select kernel.forget_tasks()"))

        await database.run(work)

    return (Job("forget-ended-tasks", forget_every, forget),)
