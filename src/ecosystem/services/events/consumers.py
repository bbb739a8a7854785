"""The door for events: the archive wants them all."""

from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.services.events.service import ArchiveService

NAME = "archive"


def archive(service: ArchiveService) -> Consumer:
    # Its files are written much later: the list may be.
    return Consumer(NAME, every=service.note, at_once=False)
