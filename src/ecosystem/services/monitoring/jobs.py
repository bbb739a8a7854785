"""The door for timers: pages and answers that are due."""

from datetime import timedelta

from ecosystem.kernel.runtime.service import Job
from ecosystem.services.monitoring.incidents.service import IncidentService


def jobs(incidents: IncidentService, look_seconds: float) -> tuple[Job, ...]:
    return (Job("look-after-incidents", timedelta(seconds=look_seconds), incidents.look),)
