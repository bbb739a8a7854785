"""The supervisor's journal: what a line means for the faults of a process."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel.words import times
from ecosystem.services.recovery.model import Sighting, told_cause

_SUPERVISOR, _OURSELVES = "supervisor", "recovery-agent"


@dataclass(frozen=True)
class Line:
    """One line, as `fleet/journal.py` writes it. `life` and `sequence` together name it for ever.

    `attempt` is 0 where a supervisor of former times wrote the line; `left` None where nothing limits attempts.
    """

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
    attempt: int = 0
    left: int | None = None
    well_until: datetime | None = None

    @property
    def name(self) -> str:
        return f"{self.life}/{self.sequence}"

    @property
    def component(self) -> str:
        return self.service if self.kind == "service" else self.process


@dataclass(frozen=True)
class Restart:
    """A restart by the supervisor: its number in a row, how many are left behind it, and the line that tells of it."""

    attempt: int
    left: int | None
    line: str


@dataclass(frozen=True)
class Back:
    """A process is ready again, or nobody waits for it any more (`gone`)."""

    instance: str
    at: datetime
    restart: Restart
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
        platform = [Back(_SUPERVISOR, line.at, Restart(1, None, line.name))] if line.service == _OURSELVES else []
        return [Back(line.process, line.at, _restart(line)), *platform]
    if line.planned:
        return [Back(line.process, line.at, _restart(line), gone=True)] if line.what == "stopped" else []
    is_service = line.kind == "service"
    match line.what:
        case "ended":
            return [_sighting(line, FaultKind.INSTANCE_DEAD if is_service else FaultKind.ENGINE_DEAD)]
        case "frozen":
            return [_sighting(line, FaultKind.INSTANCE_FROZEN if is_service else FaultKind.ENGINE_FROZEN)]
        case "held_back":
            return [_sighting(line, FaultKind.CRASH_LOOP)]
        case "stopped":
            # The supervisor's own words stand last: before them may stand any that the process said.
            return [GivenUp(_sighting(line, FaultKind.CRASH_LOOP), line.reason.rpartition("; ")[2])]
    return []


def failed_restart(seen: Sighting) -> Restart:
    """The restart that this end, which came before the process was ready, is the failure of."""
    left = seen.detail["left"]
    return _before(seen, None if left is None else left + 1)


def stopped_restart(seen: Sighting) -> Restart:
    """The restart after which none followed."""
    return _before(seen, 0)


def _before(seen: Sighting, left: int | None) -> Restart:
    line = f"{seen.detail['life']}/{seen.detail['sequence']}"
    return Restart(max(1, int(seen.detail["attempt"]) - 1), left, f"{line}/failed")


def looping(seen: Sighting) -> Sighting:
    """The same end as one more of a crash loop."""
    ends = int(seen.detail["attempt"])
    often = f"; ended {times(ends)} in a row" if ends > 1 else ""
    return replace(seen, fault=FaultKind.CRASH_LOOP, cause=f"{seen.cause}{often}")


def _restart(line: Line) -> Restart:
    return Restart(max(1, line.attempt), line.left, line.name)


def _sighting(line: Line, fault: FaultKind) -> Sighting:
    detail: dict[str, Any] = {
        "life": line.life, "sequence": line.sequence, "restarts": line.restarts, "attempt": line.attempt,
        "left": line.left,
    }  # fmt: skip
    target = {"last_lines": list(line.said)} if line.said else {}
    is_loop = fault is FaultKind.CRASH_LOOP
    reason = line.reason.rpartition("; ")[0] or line.reason if is_loop else line.reason
    seen = Sighting(
        fault, line.component, told_cause(reason), line.at, line.process, detail=detail, target=target,
        since=line.well_until,
    )  # fmt: skip
    return looping(seen) if is_loop else seen


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
        int(raw["restarts"]), tuple(str(one) for one in raw.get("lines", ())), int(raw.get("attempt", 0)),
        None if raw.get("left") is None else int(raw["left"]),
        datetime.fromisoformat(raw["well_until"]) if raw.get("well_until") else None,
    )  # fmt: skip
