"""The door for events: an object that is not what was put, and what a person must look at."""

from ecosystem.contracts.objects import ObjectDamageFound, ObjectRestored
from ecosystem.contracts.orchestrator import RunCancelled, RunFailed, RunRetried
from ecosystem.contracts.recovery import FaultCleared, HelpNeeded
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.services.recovery.watching.objects import DamagedObjects
from ecosystem.services.recovery.working.service import WorkService

NAME, WORK = "recovery-objects", "recovery-work"


def damaged_objects(service: DamagedObjects) -> Consumer:
    return Consumer(NAME, {ObjectDamageFound: service.damaged, ObjectRestored: service.restored})


def work(service: WorkService) -> Consumer:
    """Nobody waits for these in the same second."""

    async def retried(envelope: Envelope) -> None:
        await service.is_over(envelope, "the run goes on")

    async def cancelled(envelope: Envelope) -> None:
        await service.is_over(envelope, "the run was ended")

    async def cleared(envelope: Envelope) -> None:
        await service.is_over(envelope, "the fault is over")

    return Consumer(
        WORK,
        {
            RunFailed: service.run_failed, RunRetried: retried, RunCancelled: cancelled,
            HelpNeeded: service.help_needed, FaultCleared: cleared,
        },
        looks_every_seconds=1,
    )  # fmt: skip
