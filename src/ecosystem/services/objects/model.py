"""A sweep goes over all objects in the order of their names, some in each round, and counts."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from ecosystem.kernel.words import counted


@dataclass(frozen=True)
class Sweep:
    """`position` is the last name looked at; `sweep_id` is None before it is kept."""

    started_at: datetime
    sweep_id: int | None = None
    finished_at: datetime | None = None
    position: str = ""
    objects: int = 0
    stored_bytes: int = 0
    damaged: int = 0
    expired: int = 0
    next_expiry: date | None = None

    def due(self, now: datetime, pause: timedelta) -> bool:
        """Whether the next sweep should begin."""
        return self.finished_at is not None and now >= self.finished_at + pause


@dataclass(frozen=True)
class Finding:
    """An object that is not what was put. `name` is `<company>/<digest>`."""

    name: str
    code: str
    found_at: datetime


@dataclass
class Round:
    """What one round has seen: it moves a sweep on."""

    sweep: Sweep
    damaged: dict[str, str] = field(default_factory=dict)
    sound: list[str] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)

    def saw(self, name: str, stored_bytes: int, retain_until: date | None, today: date, code: str | None) -> None:
        sweep = self.sweep
        over = retain_until is not None and retain_until < today
        ahead = [day for day in (sweep.next_expiry, retain_until) if day is not None and day >= today]
        if code is None:
            self.sound.append(name)
        else:
            self.damaged[name] = code
        if over and code is None:
            self.expired.append(name)
        self.sweep = replace(
            sweep,
            position=name,
            objects=sweep.objects + 1,
            stored_bytes=sweep.stored_bytes + stored_bytes,
            damaged=sweep.damaged + (code is not None),
            expired=sweep.expired + over,
            next_expiry=min(ahead, default=None),
        )


@dataclass(frozen=True)
class Storage:
    """The place of the objects; sizes in bytes."""

    kind: str
    writable: bool
    free_bytes: int
    total_bytes: int


def warnings(storage: Storage, findings: int) -> list[str]:
    """One sentence for each thing that an operator should mend, with what to do."""
    found = []
    if not storage.writable:
        found.append("The storage cannot be written: uploads are refused; mend the rights of its folder or the disk.")
    if storage.total_bytes and storage.free_bytes < storage.total_bytes * 0.1:
        found.append(f"Only {storage.free_bytes // 1024**2} MiB are free: make room or move the objects.")
    if findings:
        found.append(
            f"{counted(findings, 'object is', 'objects are')} damaged: restore from the backup; /findings names each."
        )
    return found
