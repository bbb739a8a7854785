"""The door for timers: integrity and retention, some objects in each round."""

from datetime import timedelta

from ecosystem.kernel.runtime.service import Job
from ecosystem.services.objects.service import CareService


def jobs(care: CareService, every_seconds: float) -> tuple[Job, ...]:
    async def check() -> None:
        await care.check_some()

    return (Job("check-objects", timedelta(seconds=every_seconds), check),)
