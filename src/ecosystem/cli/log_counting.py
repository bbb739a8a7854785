"""`eco logs --counted`: lines that say the same once, with how often, so that a storm hides nothing beside it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecosystem.cli import screen

if TYPE_CHECKING:
    from ecosystem.cli.logs import Line

KINDS_MAX = 50
"""Of which each has a row; of the others only how many they are."""
_SAYS = ("method", "route", "status", "code", "reason", "job", "consumer", "agent", "request_type", "exit_code")
"""What tells two lines of one message apart. Everything else is of the single case: ids, times, measures."""
_TEXT_LENGTH_MAX = 240
_OF_THE_CASE = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|0x[0-9a-fA-F]+|\b[0-9a-f]{16,}\b|(?<![A-Za-z])\d+")
_BEFORE = re.compile(r"^[\W_]*(?:UTC|[A-Z] # \w{3} )?[\W_]*")
"""An engine's time and process, without their numbers."""


@dataclass
class Counted:
    """`trace_id` is of the newest line that has one."""

    level: str
    process: str
    says: str
    times: int
    first_at: datetime
    last_at: datetime
    trace_id: str | None = None

    def again(self, at: datetime, trace_id: str | None) -> None:
        self.times += 1
        self.first_at, self.last_at = min(self.first_at, at), max(self.last_at, at)
        self.trace_id = trace_id or self.trace_id


def counted(lines: "Iterable[Line]") -> list[Counted]:
    """The kinds of lines, the most frequent first."""
    kinds: dict[tuple[str, str, str], Counted] = {}
    for line in lines:
        key = line.level, line.source, says(line.text, line.entry)
        trace_id = (line.entry or {}).get("trace_id")
        if key in kinds:
            kinds[key].again(line.at, trace_id)
        else:
            kinds[key] = Counted(*key, times=1, first_at=line.at, last_at=line.at, trace_id=trace_id)
    return sorted(kinds.values(), key=lambda kind: (-kind.times, kind.first_at))


def says(text: str, entry: Mapping[str, Any] | None) -> str:
    """What a line says without what is of its case alone."""
    if entry is None:
        return _BEFORE.sub("", _OF_THE_CASE.sub("#", text))[:_TEXT_LENGTH_MAX]
    context = entry.get("context") or {}
    about = {name: entry.get(name) or context.get(name) for name in _SAYS}
    error = context.get("error")
    if isinstance(error, Mapping):
        about["error"] = error.get("type")
    told = (f"{name}={value}" for name, value in about.items() if value not in (None, ""))
    return " ".join((_OF_THE_CASE.sub("#", text), *told))[:_TEXT_LENGTH_MAX]


def show(kinds: list[Counted], *, as_json: bool) -> None:
    if as_json:
        screen.as_json({"items": [vars(kind) for kind in kinds], "next_cursor": None})
        return
    if not kinds:
        return
    screen.table(
        ("times", "level", "process", "first", "last", "says", "trace of the last"),
        [(kind.times, kind.level, kind.process, screen.when(kind.first_at), screen.when(kind.last_at), kind.says,
          kind.trace_id) for kind in kinds[:KINDS_MAX]],
    )  # fmt: skip
    if len(kinds) > KINDS_MAX:
        screen.note(f"{len(kinds) - KINDS_MAX} more kinds of lines. Next: a higher --level, or --json")
