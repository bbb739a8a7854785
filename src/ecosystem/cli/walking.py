"""Pages of docs/runbooks as steps with commands, and what the words in capitals stand for now.

A page finds by the same commands that a person would type, so that what it fills in can be checked by hand.
"""

import json
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ecosystem.cli.project import ROOT
from ecosystem.fleet.place import our_command
from ecosystem.kernel.words import counted

FOLDER = ROOT / "docs" / "runbooks"
_SECONDS_MAX = 90
_LINES_MAX = 40
_IMPATIENT_SECONDS = "5"
_BLOCK = re.compile(r"^```console\n(.*?)^```\n?", re.DOTALL | re.MULTILINE)
# What only looks. Everything else changes something, and is asked for.
_LOOKS = frozenset({
    ("status",), ("doctor",), ("logs",), ("policies", "show"), ("engines", "postgres"), ("engines", "cache"),
    ("engines", "objects"), ("engines", "edge"), ("incidents", "list"), ("incidents", "show"), ("incidents", "status"),
    ("incidents", "postmortem"), ("oncall", "show"), ("runs", "list"), ("runs", "show"), ("events", "list"),
    ("recovery", "status"), ("recovery", "actions"), ("recovery", "episodes"), ("recovery", "show"),
    ("events", "consumers"), ("notifications", "list"), ("audit", "list"), ("identities", "list"),
    ("recovery", "queue"),
})  # fmt: skip
_WRITING_OPTIONS = frozenset({"--write", "--redeliver"})


@dataclass(frozen=True)
class Command:
    """`words` begin with `eco`; those in capitals are filled in."""

    words: tuple[str, ...]

    @property
    def changes(self) -> bool:
        if self.words[1:] == ("events", "dead-letters"):
            return False
        looks = self.words[1:2] in _LOOKS or self.words[1:3] in _LOOKS
        return not looks or bool(_WRITING_OPTIONS & set(self.words))

    @property
    def blanks(self) -> tuple[str, ...]:
        return tuple(word for word in self.words if word in _FINDERS)


@dataclass(frozen=True)
class Step:
    title: str
    text: str
    commands: tuple[Command, ...]


@dataclass(frozen=True)
class Page:
    title: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Ran:
    exit_code: int
    output: str


def pages() -> list[str]:
    return sorted(file.stem for file in FOLDER.glob("*.md"))


def read(name: str) -> Page:
    head, *sections = re.split(r"^## ", (FOLDER / f"{name}.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    steps = []
    for section in sections:
        title, _, body = section.partition("\n")
        lines = [line.removeprefix("$ ") for block in _BLOCK.findall(body) for line in block.splitlines()]
        commands = tuple(Command(tuple(shlex.split(line))) for line in lines)
        steps.append(Step(title, " ".join(_BLOCK.sub("", body).split()), commands))
    return Page(head.partition("\n")[0].removeprefix("# "), tuple(steps))


def run(words: Sequence[str], *, patient: bool = True) -> Ran:
    """Run one of our commands in this home; its last lines, whatever comes of it.

    Not `patient`: what waits for a repair that was left to somebody waits a few seconds only.
    """
    if not patient and words[-1] == "--wait":
        words = (*words, _IMPATIENT_SECONDS)
    try:
        done = subprocess.run(  # noqa: S603 our own words, and ids that the platform gave us
            our_command("ecosystem", *words[1:]), cwd=Path.cwd(), capture_output=True, text=True,
            timeout=_SECONDS_MAX, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Ran(124, f"It did not end within {_SECONDS_MAX} s.")
    lines = (done.stdout + done.stderr).strip().splitlines()
    left_out = [f"({counted(len(lines) - _LINES_MAX, 'line')} before)"] if len(lines) > _LINES_MAX else []
    return Ran(done.returncode, "\n".join([*left_out, *lines[-_LINES_MAX:]]))


class Finder:
    """What the words in capitals stand for, looked for once each, when a command needs it."""

    def __init__(self, runbook: str) -> None:
        self._runbook = runbook
        self.found: dict[str, str | None] = {}

    def filled(self, command: Command) -> tuple[tuple[str, ...], str | None]:
        """The words to run, and the first that nothing was found for."""
        for blank in command.blanks:
            if blank not in self.found:
                # Its own name first: who looks for one thing may need it for another, and must not look in circles.
                self.found[blank] = None
                self.found[blank] = _FINDERS[blank].look(self)
        words = tuple(self.found.get(word) or word for word in command.words)
        return words, next((blank for blank in command.blanks if not self.found[blank]), None)

    def nothing(self, blank: str) -> str:
        return _FINDERS[blank].nothing

    def value(self, blank: str) -> str | None:
        if blank not in self.found:
            self.filled(Command(("eco", blank)))
        return self.found[blank]

    def incident(self) -> str | None:
        return str(self._incidents[0]["number"]) if self._incidents else None

    @cached_property
    def _incidents(self) -> list[dict[str, Any]]:
        listed = _items(_answer("incidents", "list", "--unfinished", "--json"))
        return [one for one in listed if one.get("runbook") == self._runbook]

    @cached_property
    def _errors(self) -> list[dict[str, Any]]:
        """Lines of errors, and of requests that were answered with 5xx."""
        found = []
        for line in _run_json("logs", "--level", "warning", "--since", "15m", "--json").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return [one for one in found if isinstance(one, dict) and _is_failure(one)]

    def page(self) -> str | None:
        pages = (_answer("oncall", "show", "--json") or {}).get("pages", [])
        ours = [one for one in pages if one.get("runbook") == self._runbook]
        return str(ours[0]["page_id"]) if ours else None

    def service(self) -> str | None:
        """One that is not ready; else that of the incident, the one with most errors of late, or one that ended."""
        processes = [
            one for one in (_answer("status", "--json") or {}).get("processes", []) if one.get("kind") == "service"
        ]
        down = [_short(one) for one in processes if one.get("state") != "ready"]
        counted = Counter(line.get("service", "") for line in self._errors)
        names = {_short(one) for one in processes}
        named = [name for one in self._incidents if (name := _base(str(one.get("component")))) in names]
        loud = [_base(name) for name, _ in counted.most_common() if _base(name) in names]
        ended = [_short(one) for one in processes if one.get("restarts")]
        return next(iter([*down, *named, *loud, *ended]), None)

    def action(self) -> str | None:
        """What is proposed about a fault that names this page, and waits for a decision."""
        status = _answer("recovery", "status", "--json") or {}
        ours = {one.get("episode_id") for one in status.get("open_episodes", []) if one.get("runbook") == self._runbook}
        proposed = [one for one in status.get("proposed", []) if one.get("episode_id") in ours]
        return str(proposed[0]["action_id"]) if proposed else None

    def trace(self) -> str | None:
        service = self.value("SERVICE")
        lines = [line for line in self._errors if line.get("trace_id")]
        ours = [line for line in lines if _base(str(line.get("service"))) == service] or lines
        return str(ours[-1]["trace_id"]) if ours else None


@dataclass(frozen=True)
class _Blank:
    look: Callable[[Finder], str | None]
    nothing: str


_FINDERS = {
    "INCIDENT": _Blank(Finder.incident, "no unfinished incident names this page"),
    "PAGE": _Blank(Finder.page, "no open page names this page"),
    "SERVICE": _Blank(Finder.service, "every service is ready, and none logged an error within 15 minutes"),
    "ACTION": _Blank(Finder.action, "nothing is proposed for a fault of this page"),
    "TRACE": _Blank(Finder.trace, "no error within 15 minutes has a trace"),
}


def _is_failure(line: dict[str, Any]) -> bool:
    status = (line.get("context") or {}).get("status")
    return line.get("level") in ("error", "critical") or (isinstance(status, int) and status >= 500)


def _answer(*words: str) -> Any:
    try:
        return json.loads(_run_json(*words))
    except ValueError:
        return None


def _run_json(*words: str) -> str:
    try:
        return subprocess.run(  # noqa: S603 our own words
            our_command("ecosystem", *words), capture_output=True, text=True, timeout=_SECONDS_MAX,
            stdin=subprocess.DEVNULL, check=False,
        ).stdout  # fmt: skip
    except subprocess.TimeoutExpired:
        return ""


def _items(answer: Any) -> list[dict[str, Any]]:
    return list(answer["items"]) if isinstance(answer, dict) and isinstance(answer.get("items"), list) else []


def _short(process: dict[str, Any]) -> str:
    return _base(str(process.get("name", "")))


def _base(name: str) -> str:
    return name.removesuffix("-service").removesuffix("-agent")
