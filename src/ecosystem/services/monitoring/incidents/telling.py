"""An incident in plain sentences, in the order of time: for agents, post-mortems and tickets."""

from datetime import datetime

from ecosystem.kernel.words import counted, moment, times
from ecosystem.services.monitoring.incidents.model import Incident, What
from ecosystem.services.monitoring.incidents.reading import Story

_ACTIONS = (What.REPAIR, What.ACKNOWLEDGED, What.PAGED)


def summary(incident: Incident) -> list[str]:
    """What, since when, how often, whom it touched, how it ended."""
    told = [
        f"Incident {incident.number} ({incident.priority.value}): {incident.title}. Cause: {incident.cause}.",
        f"It began at {_at(incident.began_at)} and was noticed {_noticed(incident)};"
        f" the fault was seen {times(incident.faults)} in {counted(incident.episodes, 'episode')}.",
    ]
    if incident.caused_by is not None:
        told.append(f"It was caused by incident {incident.caused_by}.")
    if incident.instances:
        told.append(f"Processes: {', '.join(incident.instances)}.")
    told.append(
        f"It affects {counted(len(incident.companies), 'company')}."
        if incident.companies
        else "No company alone is affected."
    )
    told.append(_end(incident))
    return told


def sentences(story: Story) -> tuple[str, ...]:
    """The summary, then one sentence for each line of the timeline."""
    return (*summary(story.incident), *timeline(story))


def timeline(story: Story) -> list[str]:
    """One sentence for each line, and how many there are besides."""
    told = [f"{_at(line.at)}: {line.said}" for line in story.timeline]
    further = story.lines - len(told)
    if further > 0:
        told.append(f"{counted(further, 'further line')}: eco incidents show {story.incident.number}.")
    return told


def impact_seconds(incident: Incident) -> float | None:
    """From its beginning, noticed or not, to its end; None while it goes on."""
    if incident.closed_at is None:
        return None
    return max(0.0, (incident.closed_at - incident.began_at).total_seconds())


def actions(story: Story) -> list[str]:
    """What was done: repairs, and what people did. That it was over by itself is nobody's action."""
    return [
        f"{_at(line.at)}: {line.said}" + (f" ({line.by})" if line.by else "")
        for line in story.timeline
        if line.what in _ACTIONS or (line.what == What.CLOSED and line.by is not None)
    ]


def _at(at: datetime) -> str:
    """To the millisecond, since much happens within one second."""
    return moment(at, exact=True)


def _noticed(incident: Incident) -> str:
    late_seconds = (incident.opened_at - incident.began_at).total_seconds()
    return f"{late_seconds:.1f} s later" if late_seconds > 0 else "at once"


def _end(incident: Incident) -> str:
    if incident.closed_at is not None:
        how = f"closed by {incident.closed_by}" if incident.closed_by else "over"
        reason = f": {incident.closed_reason}" if incident.closed_reason else ""
        return f"It was {how} at {_at(incident.closed_at)}, {impact_seconds(incident):.1f} s after it began{reason}."
    if incident.acknowledged_at is not None:
        return f"{incident.acknowledged_by or 'Somebody'} looks at it since {_at(incident.acknowledged_at)}."
    return f"It goes on; an answer is due by {_at(incident.respond_by)}."
