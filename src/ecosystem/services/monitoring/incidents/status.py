"""The public status: which parts work, in words of the outside; no process, cause, number or company."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ecosystem.contracts.monitoring import Priority
from ecosystem.contracts.recovery import QUEUE_OF


class How(StrEnum):
    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    OUTAGE = "outage"


PARTS = {
    "documents": ("creditx-service", "objects-service", "orchestrator-agent"),
    "sign_in": ("authn-service",),
    "events": ("events-service",),
    "api": ("gateway-service", "edge"),
}
"""What the outside knows by name. A fault of anything else degrades the platform as a whole."""
SERVICES = frozenset(name for names in PARTS.values() for name in names if name != "edge")
DELAYED = "documents"
"""What comes later while calls wait for any agent."""
_WORSE = (How.OPERATIONAL, How.DEGRADED, How.OUTAGE)


@dataclass(frozen=True)
class Status:
    """`since` is when the present trouble began; None while there is none."""

    status: How
    parts: dict[str, How]
    since: datetime | None
    as_of: datetime


def status_of(
    incidents: Iterable[tuple[str, str, datetime]], now: datetime, without_instance: Collection[str] = ()
) -> Status:
    """Of the (priority, component, beginning of the present trouble) of incidents that are not closed.

    Only P1 and P2 are felt outside. `without_instance`: services of which no instance takes work now, whatever is
    known of why.
    """
    parts = dict.fromkeys(PARTS, How.OPERATIONAL)
    whole, since = How.OPERATIONAL, None
    for priority, component, began in incidents:
        if priority not in (Priority.P1, Priority.P2):
            continue
        how = How.OUTAGE if priority == Priority.P1 else How.DEGRADED
        whole, since = _worse(whole, how), min(since or began, began)
        for part, components in PARTS.items():
            if component in components or (part == DELAYED and component.startswith(QUEUE_OF)):
                parts[part] = _worse(parts[part], how)
    for part, components in PARTS.items():
        if any(component in without_instance for component in components):
            parts[part], whole = How.OUTAGE, _worse(whole, How.DEGRADED)
    return Status(whole, parts, since, now)


def absent(now: datetime) -> Status:
    """While the database does not answer, nothing else does."""
    return Status(How.OUTAGE, dict.fromkeys(PARTS, How.OUTAGE), None, now)


def _worse(one: How, other: How) -> How:
    return max(one, other, key=_WORSE.index)
