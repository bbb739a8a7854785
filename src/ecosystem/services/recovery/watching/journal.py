"""The supervisor's journal: what a line means for the faults of a process."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from ecosystem.contracts.recovery import FaultKind
from ecosystem.services.recovery.model import Sighting, told_cause

_SUPERVISOR, _OURSELVES = "supervisor", "recovery-agent"


@dataclass(frozen=True)
class Line:
    """One line, as `fleet/journal.py` writes it. `life` and `sequence` together name it for ever."""

    life: str
    sequence: int
    at: datetime
    process: str
    kind: str
    service: str
    what: str
    planned: bool
    reason: str
    restarts: int
    said: tuple[str, ...]

    @property
    def component(self) -> str:
        return self.service if self.kind == "service" else self.process


@dataclass(frozen=True)
class Back:
    """A process is ready again, or nobody waits for it any more (`gone`)."""

    instances: tuple[str, ...]
    at: datetime
    gone: bool = False


@dataclass(frozen=True)
class GivenUp:
    """The supervisor has stopped a process: no try will come soon."""

    sighting: Sighting
    reason: str


Meaning = Sighting | Back | GivenUp


def meanings(line: Line) -> list[Meaning]:
    """What follows from one line; nothing from what was planned, unless somebody waits for it."""
    if line.kind == _SUPERVISOR:
        if line.what == "started" and not line.planned:
            return [_sighting(line, FaultKind.SUPERVISOR_RESTARTED)]
        return []
    if line.what == "ready":
        # Who reads this is ready only with database and supervisor: the platform is back.
        names = (line.process, _SUPERVISOR) if line.service == _OURSELVES else (line.process,)
        return [Back(names, line.at)]
    if line.planned:
        return [Back((line.process,), line.at, gone=True)] if line.what == "stopped" else []
    is_service = line.kind == "service"
    match line.what:
        case "ended":
            return [_sighting(line, FaultKind.INSTANCE_DEAD if is_service else FaultKind.ENGINE_DEAD)]
        case "frozen":
            return [_sighting(line, FaultKind.INSTANCE_FROZEN if is_service else FaultKind.ENGINE_FROZEN)]
        case "held_back":
            return [_sighting(line, FaultKind.CRASH_LOOP)]
        case "stopped":
            return [GivenUp(_sighting(line, FaultKind.CRASH_LOOP), line.reason.partition("; ")[2] or line.reason)]
    return []


def _sighting(line: Line, fault: FaultKind) -> Sighting:
    detail: dict[str, Any] = {"life": line.life, "sequence": line.sequence, "restarts": line.restarts}
    target = {"last_lines": list(line.said)} if line.said else {}
    return Sighting(fault, line.component, told_cause(line.reason), line.at, line.process, detail=detail, target=target)


class JournalFile:
    """Reads what is new in a journal that is turned over by size. Where nothing is new, that costs a look at its size.

    `None`: there is no journal, because no supervisor of ours runs the processes.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._done: Mark | None = None

    @property
    def mark(self) -> "Mark | None":
        """Changes with every line; None where there is no journal."""
        for file in (self._file, self._former) if self._file else ():
            with suppress(OSError):
                found = os.stat(file)
                return found.st_ino, found.st_size
        return None

    @property
    def has_news(self) -> bool:
        """Whether there is more than when `done` was called last."""
        return self.mark not in (None, self._done)

    def done(self, mark: "Mark | None") -> None:
        """Everything up to `mark`, taken before it was read, is dealt with."""
        self._done = mark

    def after(self, life: str, sequence: int) -> list[Line]:
        """The lines behind the one with this name, oldest first; all that are kept where it is not among them."""
        found: list[Line] = []
        for file in (self._file, self._former) if self._file else ():
            for line in _newest_first(file):
                if (line.life, line.sequence) == (life, sequence):
                    return found[::-1]
                found.append(line)
        return found[::-1]

    @property
    def _former(self) -> Path:
        assert self._file is not None
        return self._file.with_name(f"{self._file.name}.1")


Mark = tuple[int, int]


def _newest_first(file: Path) -> Iterator[Line]:
    try:
        content = file.read_bytes()
    except OSError:
        return
    # What stands behind the last line feed is still being written.
    for raw in reversed(content[: content.rfind(b"\n") + 1].splitlines()):
        with suppress(orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            yield _line(orjson.loads(raw))


def _line(raw: dict[str, Any]) -> Line:
    return Line(
        str(raw["life"]), int(raw["sequence"]), datetime.fromisoformat(raw["at"]), str(raw["process"]),
        str(raw["kind"]), str(raw["service"]), str(raw["what"]), bool(raw["planned"]), str(raw["reason"]),
        int(raw["restarts"]), tuple(str(one) for one in raw.get("lines", ())),
    )  # fmt: skip
