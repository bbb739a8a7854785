"""The schedule of a campaign: a pure function of its seed, its length and the names of the services."""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from faults.kinds import BY_NAME, KINDS, SERVICE, SLOT, Kind

_BEGIN_SECONDS, _END_SECONDS = 2.0, 4.0
_PAUSE_SECONDS = 4.5
_TEXTS = {"kind", "target"}
_MOST = {"at_seconds": 86_400.0, "seconds": 3600.0, "detail": 0.999}


@dataclass(frozen=True)
class Fault:
    """`at_seconds` after the campaign's start. `target`: a replica (`creditx-2`), a service, or empty.

    `detail` picks among what a kind may do, such as which table is locked: a number from 0 to 1, never 1.
    """

    at_seconds: float
    kind: str
    target: str = ""
    seconds: float = 0.0
    detail: float = 0.0

    def __str__(self) -> str:
        lasts = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at_seconds:7.2f} s  {self.kind}{f' {self.target}' if self.target else ''}{lasts}"


def schedule(
    seed: int, minutes: float, services: Sequence[str], *, replicas: int = 2, kinds: Sequence[str] = ()
) -> list[Fault]:
    """In the order of time. Every kind comes before any comes more often than its weight says: a shuffled deck."""
    chance = random.Random(f"schedule {seed}")
    chosen = [kind for kind in KINDS if not kinds or kind.name in kinds]
    faults: list[Fault] = []
    deck: list[Kind] = []
    at = _BEGIN_SECONDS + chance.uniform(0, 1)
    while at < minutes * 60 - _END_SECONDS:
        if not deck:
            deck = [kind for kind in chosen for _ in range(kind.weight)]
            chance.shuffle(deck)
        kind = deck.pop()
        faults.append(
            Fault(
                round(at, 2), kind.name, _target(chance, kind, services, replicas),
                round(chance.uniform(*kind.seconds), 2), min(round(chance.random(), 3), _MOST["detail"]),
            )
        )  # fmt: skip
        at += _PAUSE_SECONDS * chance.uniform(0.5, 1.5)
    return faults


def _target(chance: random.Random, kind: Kind, services: Sequence[str], replicas: int) -> str:
    service, replica = chance.choice(sorted(services)), chance.randint(1, replicas)
    return {SLOT: f"{service}-{replica}", SERVICE: service}.get(kind.aim, "")


def read(file: Path) -> list[Fault]:
    """A schedule that was printed by `--plan --json`, or written by hand.

    Raises OSError, and ValueError with the rule that it breaks.
    """
    try:
        found = json.loads(file.read_text())
    except (ValueError, RecursionError):
        raise ValueError(f"{file} is no JSON.") from None
    listed = found.get("faults") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not listed:
        raise ValueError(f'{file} is no schedule: {{"faults": [...]}} with one fault or more.')
    faults = [_fault(number, one) for number, one in enumerate(listed, 1)]
    if unknown := sorted({fault.kind for fault in faults} - set(BY_NAME)):
        raise ValueError(f"There is no kind of fault {', '.join(unknown)}; there are {', '.join(BY_NAME)}.")
    return sorted(faults, key=lambda fault: fault.at_seconds)


def _fault(number: int, found: object) -> Fault:
    if not isinstance(found, dict) or not {"at_seconds", "kind"} <= found.keys() <= _TEXTS | _MOST.keys():
        raise ValueError(
            f"Fault {number} of the schedule has at_seconds and kind, and may have target, seconds and detail, "
            "and nothing else."
        )
    for name, value in found.items():
        if name in _TEXTS and not isinstance(value, str):
            raise ValueError(f"Fault {number} of the schedule: {name} is a text.")
        # A bool would be a number too.
        if name in _MOST and (type(value) not in (int, float) or not 0 <= value <= _MOST[name]):
            raise ValueError(f"Fault {number} of the schedule: {name} is a number from 0 to {_MOST[name]:g}.")
    return Fault(**found)


def as_json(faults: Sequence[Fault]) -> dict[str, object]:
    return {"faults": [asdict(fault) for fault in faults]}
