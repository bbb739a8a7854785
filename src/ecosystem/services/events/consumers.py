"""The door for events: the archive wants them all, and hears when one of its files is damaged."""

from ecosystem.contracts.objects import ObjectDamageFound
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.services.events.restoring.service import RestoringService
from ecosystem.services.events.service import ArchiveService

NAME, DAMAGE = "archive", "archive-damage"


def archive(service: ArchiveService) -> Consumer:
    # Its files are written much later: the list may be.
    return Consumer(NAME, every=service.note, looks_every_seconds=2)


def damaged_files(service: RestoringService) -> Consumer:
    return Consumer(DAMAGE, {ObjectDamageFound: service.note}, looks_every_seconds=2)
