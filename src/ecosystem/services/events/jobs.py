"""The door for timers: files of the archive are closed, and the weeks to come get their partition."""

from datetime import timedelta

from sqlalchemy import text

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.runtime.service import Job
from ecosystem.services.events.restoring.service import RestoringService
from ecosystem.services.events.service import ArchiveService

_RESTORE_EVERY = timedelta(seconds=10)


def jobs(
    archive: ArchiveService, restoring: RestoringService, database: Database, every_seconds: float
) -> tuple[Job, ...]:
    async def close_files() -> None:
        await archive.archive_due()

    async def restore_files() -> None:
        await restoring.restore_damaged()

    async def cover_weeks() -> None:
        async def work() -> None:
            await database.session.execute(text("select kernel.open_log()"))

        await database.run(work)

    async def forget_tasks() -> None:
        async def work() -> None:
            await database.session.execute(text("select kernel.forget_tasks()"))

        await database.run(work)

    return (
        Job("close-archive-files", timedelta(seconds=every_seconds), close_files),
        Job("restore-archive-files", _RESTORE_EVERY, restore_files),
        Job("cover-weeks", timedelta(hours=6), cover_weeks),
        Job("forget-finished-tasks", timedelta(hours=1), forget_tasks),
    )
