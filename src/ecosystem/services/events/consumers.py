"""The door for events: the archive wants them all."""

from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.services.events.service import ArchiveService

NAME = "archive"


def archive(service: ArchiveService) -> Consumer:
    return Consumer(NAME, every=service.note)
