"""The door for timers: measuring the cluster."""

from datetime import timedelta

from ecosystem.kernel.runtime.service import Job
from ecosystem.services.postgres.service import ClusterService


def jobs(cluster: ClusterService, every_seconds: float) -> tuple[Job, ...]:
    async def measure() -> None:
        await cluster.measure()

    # Every replica has its own /metrics, so every one measures.
    return (Job("measure-postgres", timedelta(seconds=every_seconds), measure, single=False),)
