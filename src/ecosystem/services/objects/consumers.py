"""The door for events: an object that its owner has restored."""

from ecosystem.contracts.objects import ObjectRestored
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.services.objects.service import CareService

NAME = "objects-restored"


def restored_objects(care: CareService) -> Consumer:
    async def restored(envelope: Envelope) -> None:
        await care.restored(envelope.company_id, envelope.read(ObjectRestored).object_digest)

    return Consumer(NAME, {ObjectRestored: restored}, looks_every_seconds=2)
