"""A clock of its own for one replica. Python has no way to it from outside; libfaketime, where it is installed, has."""

from pathlib import Path

from faults.fleet import Fleet
from faults.impossible import Impossible
from faults.schedule import Fault
from faults.signals import Hit


def library() -> Path | None:
    """libfaketime where distributions put it."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


async def skewed(fleet: Fleet, fault: Fault) -> list[Hit]:
    """Raises Impossible."""
    if library() is None:
        raise Impossible("libfaketime is not installed (Debian, Ubuntu: apt-get install libfaketime)")
    raise Impossible("libfaketime is there, and the fleet starts its services with an environment of its own")
