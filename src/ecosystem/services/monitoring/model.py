"""How the services do, as far as registry and `/metrics` tell."""

from collections.abc import Iterable
from dataclasses import dataclass

from ecosystem.kernel.words import counted


@dataclass(frozen=True)
class Counted:
    """What one process has answered since it began. `errors` are answers with a status of 500 and above."""

    requests: float = 0
    errors: float = 0


@dataclass(frozen=True)
class Seen:
    """One instance as the registry has it, and what it answered just now; `counted` is None where it did not."""

    service: str
    state: str
    reason: str
    counted: Counted | None


@dataclass(frozen=True)
class Health:
    service: str
    ready: int
    instances: int
    counted: Counted
    reasons: tuple[str, ...]

    @property
    def well(self) -> bool:
        return self.ready > 0 and not self.reasons


def health_of(service: str, seen: Iterable[Seen]) -> Health:
    """Of all instances of one service; none at all is a reason too."""
    instances = [one for one in seen if one.service == service]
    answers = [one.counted for one in instances if one.counted is not None]
    reasons = [one.reason for one in instances if one.reason]
    reasons += ["/metrics did not answer" for one in instances if one.counted is None]
    if not instances:
        reasons.append("no instance is in the registry")
    return Health(
        service, sum(1 for one in instances if one.state == "ready"), len(instances),
        Counted(sum(one.requests for one in answers), sum(one.errors for one in answers)),
        tuple(dict.fromkeys(reasons)),
    )  # fmt: skip


def told(healths: Iterable[Health], incidents: dict[str, int]) -> tuple[str, ...]:
    """The same in plain sentences, what is wrong first."""
    healths = list(healths)
    bad = [one for one in healths if not one.well]
    lines = [f"{one.service}: {one.ready} of {one.instances} ready; {'; '.join(one.reasons) or 'none'}." for one in bad]
    well = len(healths) - len(bad)
    lines.append(f"Well: {well} of {counted(len(healths), 'service')}.")
    errors, requests = sum(one.counted.errors for one in healths), sum(one.counted.requests for one in healths)
    lines.append(f"Since they began they answered {counted(requests, 'request')}, {errors:.0f} of them with an error.")
    unfinished = {priority: count for priority, count in incidents.items() if count}
    if unfinished:
        lines.append("Open incidents: " + ", ".join(f"{count} of {one}" for one, count in unfinished.items()) + ".")
    else:
        lines.append("No incident is open.")
    return tuple(lines)
