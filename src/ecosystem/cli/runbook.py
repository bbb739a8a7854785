"""`eco runbook NAME`: walk through a page of docs/runbooks; it looks by itself, and asks before it changes anything."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from ecosystem.cli import screen
from ecosystem.cli.noun import guarded
from ecosystem.cli.walking import FOLDER, Command, Finder, Ran, Step, pages, read, run
from ecosystem.kernel.errors import EcosystemError, Kind, Severity

SUMMARY = "Walk through a page of docs/runbooks: it looks by itself, and asks before it changes anything."


class NoSuchPage(EcosystemError):
    code, kind, severity = "no_such_page", Kind.PERMANENT, Severity.LOW
    rule = "There is no page of this name in docs/runbooks."


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="eco runbook", description=SUMMARY)
    parser.add_argument("name", nargs="?", metavar="NAME", help="such as service_unavailable (default: list them)")
    parser.add_argument("--json", action="store_true", help="print JSON; nothing is changed")
    parsed = parser.parse_args(arguments)
    return guarded("eco runbook", lambda: _walk(parsed) if parsed.name else _list(parsed))


def _list(parsed: argparse.Namespace) -> int:
    found = [(name, read(name).title) for name in pages()]
    if parsed.json:
        screen.as_json({"items": [{"name": name, "title": title} for name, title in found]})
    else:
        screen.table(("name", "about"), found)
    return 0


def _walk(parsed: argparse.Namespace) -> int:
    if parsed.name not in pages():
        raise NoSuchPage(suggestion=f"eco runbook NAME, one of {', '.join(pages())}")
    page, finder = read(parsed.name), Finder(parsed.name)
    asks = sys.stdin.isatty() and sys.stdout.isatty() and not parsed.json
    if not parsed.json:
        screen.out(f"{page.title} ({FOLDER.name}/{parsed.name}.md)")
    steps = [_step(step, finder, asks=asks, quiet=parsed.json) for step in page.steps]
    if parsed.json:
        screen.as_json({"runbook": parsed.name, "title": page.title, "found": finder.found, "steps": steps})
    return 0


def _step(step: Step, finder: Finder, *, asks: bool, quiet: bool) -> dict[str, Any]:
    if not quiet:
        screen.out(f"\n{step.title}\n{step.text}".rstrip())
    done = [_command(command, finder, asks=asks, quiet=quiet) for command in step.commands]
    return {"title": step.title, "text": step.text, "commands": done}


def _command(command: Command, finder: Finder, *, asks: bool, quiet: bool) -> dict[str, Any]:
    words, missing = finder.filled(command)
    shown = " ".join(words)
    about: dict[str, Any] = {"command": shown, "changes": command.changes, "ran": False}
    if missing:
        return _told(quiet, about, f"$ {shown}", f"  not run: {finder.nothing(missing)}", reason=f"no {missing}")
    if command.changes and not (asks and _agreed(shown)):
        return _told(quiet, about, f"$ {shown}", "  not run: it changes something", reason="it changes something")
    ran = run(words, patient=asks)
    about |= {"ran": True, "exit_code": ran.exit_code, "output": ran.output}
    return _told(quiet, about, f"$ {shown}", *_indented(ran))


def _told(quiet: bool, about: dict[str, Any], *lines: str, reason: str | None = None) -> dict[str, Any]:
    if not quiet:
        for line in lines:
            screen.out(line)
    return about | ({"reason": reason} if reason else {})


def _indented(ran: Ran) -> Sequence[str]:
    lines = [f"  {screen.clean(line)}" for line in ran.output.splitlines()] or ["  (nothing)"]
    return lines if ran.exit_code == 0 else [*lines, f"  exit code {ran.exit_code}"]


def _agreed(shown: str) -> bool:
    return input(f"$ {shown}\n  This changes something. Run it? [y/N] ").strip().lower() in ("y", "yes")
