"""Which open incident is the cause of another: what a component stands on failed shortly before.

Kept simple on purpose: engines, the supervisor and the disk alone are causes. A service that fails because another
one does says so in its traces.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from ecosystem.contracts.recovery import FaultKind
from ecosystem.services.monitoring.incidents.model import Incident

DATABASE, CACHE, SUPERVISOR, DISK = "postgresql", "cache", "supervisor", "disk"
CAUSES = tuple(
    kind.value
    for kind in (
        FaultKind.ENGINE_DEAD, FaultKind.ENGINE_FROZEN, FaultKind.SUPERVISOR_RESTARTED, FaultKind.DISK_FULL,
        FaultKind.CRASH_LOOP,
    )
)  # fmt: skip
ENGINES = frozenset({DATABASE, CACHE, "edge", "zygote"})
NEEDS_ALSO = {"dragonfly-service": frozenset({CACHE})}
"""What a service needs to be ready beside the database, which all of them do; the catalog says the same."""
BEFORE = timedelta(minutes=5)
AFTER = timedelta(minutes=1)


def stands_on(component: str) -> frozenset[str]:
    """The parts without which this one cannot do its work. Consumers, routes and agents are parts of services."""
    if component in (SUPERVISOR, DISK):
        return frozenset()
    if component in ENGINES:
        # An engine is its own process; PostgreSQL alone dies of a disk that is full.
        return frozenset({SUPERVISOR, DISK} if component == DATABASE else {SUPERVISOR})
    return frozenset({DATABASE, SUPERVISOR, DISK}) | NEEDS_ALSO.get(component, frozenset())


def cause_of(fault: str, component: str, began: datetime, others: Iterable[Incident]) -> Incident | None:
    """Of those that began at most five minutes before and are open, or over for a minute at most, the first."""
    parts = stands_on(component) | ({component} if fault not in CAUSES and component in ENGINES else set())
    found = [
        one for one in others
        if one.fault in CAUSES and one.component in parts and began - BEFORE <= one.faulty_since <= began + AFTER
        and (one.closed_at is None or one.closed_at >= began - AFTER)
    ]  # fmt: skip
    return min(found, key=lambda one: one.faulty_since, default=None)
