"""The door for timers: one replica at a time watches; another goes on at once where it dies."""

from datetime import timedelta

from ecosystem.kernel.runtime.service import Job
from ecosystem.services.recovery.repairing.repairing import Repairing
from ecosystem.services.recovery.service import RecoveryService
from ecosystem.services.recovery.settings import ServiceSettings
from ecosystem.services.recovery.watching.detecting import Detecting
from ecosystem.services.recovery.watching.following import Following

JOURNAL, LOOK, FORGET = "follow-journal", "look-and-repair", "forget-episodes"


def jobs(
    following: Following, detecting: Detecting, repairing: Repairing, recovery: RecoveryService,
    settings: ServiceSettings,
) -> tuple[Job, ...]:  # fmt: skip
    async def follow() -> None:
        await following.follow()

    async def look() -> None:
        # Causes before their consequences: a server that started anew is no fault of its own when its end is known.
        await following.follow()
        await following.end_calm()
        await repairing.repair(await detecting.look())

    return (
        Job(JOURNAL, timedelta(seconds=settings.journal_every_seconds), follow),
        Job(LOOK, timedelta(seconds=settings.look_every_seconds), look),
        Job(FORGET, timedelta(hours=1), recovery.forget),
    )
