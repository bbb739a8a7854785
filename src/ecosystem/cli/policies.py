"""`eco policies`: how destinations are called and when they are left alone, and whether a file of them is right."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ecosystem.catalog import DEPLOYMENTS
from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, run_noun
from ecosystem.contracts.index import AGENTS
from ecosystem.fleet.place import config_file, default_home, policies_file
from ecosystem.kernel.agent.authorisation import names_checked
from ecosystem.kernel.errors import NotFound
from ecosystem.kernel.resilience.file import NO_BREAKER, SHIPPED, PolicyRefused, Rulebook, combine, read
from ecosystem.kernel.resilience.rules import BreakerRules
from ecosystem.kernel.settings import Source
from ecosystem.kernel.words import counted

SUMMARY = "How destinations are called and when they are left alone: show, check."
_DEFAULT = "default"


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("show", "What holds, or would if the file changes nothing more.", _show, _show_options),
        Verb("check", "Whether a file of policies is right; refuses by name and line.", _check, _check_options),
    )
    return run_noun("policies", SUMMARY, verbs, arguments)


def _show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help='only this route or breaker: "* -> cache", creditx')
    parser.add_argument("--origin", action="store_true", help="every value with the line that it comes from")
    parser.add_argument("--shipped", action="store_true", help="print the shipped file with its comments")
    parser.add_argument("--config", type=Path, help="settings (default: ECO_CONFIG, else ./eco.toml if it is there)")


def _check_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, help="default: the one that this platform reads")
    parser.add_argument("--config", type=Path, help="settings (default: ECO_CONFIG, else ./eco.toml if it is there)")


def _show(parsed: argparse.Namespace) -> int:
    if parsed.shipped:
        screen.out(SHIPPED.read_text().rstrip())
        return 0
    file = _file(parsed)
    there = file.exists()
    refused: PolicyRefused | None = None
    try:
        book = _rulebook(file if there else None)
    except PolicyRefused as error:
        book, refused = _rulebook(None), error
    rows = [row for row in _values(book) if parsed.name is None or parsed.name == row[1]]
    if not rows and refused is None:
        raise NotFound(f"There is no route or breaker {parsed.name!r}.", suggestion="eco policies show")
    if parsed.json:
        screen.as_json({
            "file": file if there else None, "refused": refused and refused.message,
            "policies": [_as_json(*row) for row in rows],
        })  # fmt: skip
    elif parsed.origin or parsed.name:
        screen.table(("policy", "setting", "value", "origin"), [(row[1], *row[2:]) for row in rows])
    else:
        _summarise(book)
        if refused is None:
            screen.note(f"{file} changes this." if there else f"As shipped; {file} would change it.")
    if refused is not None:
        screen.note(f"As shipped, because {file} is refused; a process that runs goes on with what it took up before.")
        raise refused
    return 0


def _check(parsed: argparse.Namespace) -> int:
    file = parsed.file or _file(parsed)
    if not file.exists():
        raise PolicyRefused(f"There is no {file}.", suggestion="eco policies show --shipped prints one to begin with.")
    own = read(file)
    _rulebook(file)
    found = {table: len(own.table(table)) for table in ("routes", "breakers", "authorisation")}
    if parsed.json:
        screen.as_json({"file": file, "right": True, **found})
    else:
        screen.out(f"{file} is right: " + ", ".join(f"{number} in [{table}]" for table, number in found.items()) + ".")
    return 0


def _file(parsed: argparse.Namespace) -> Path:
    return policies_file(Source.load(config_file(parsed.config), os.environ), default_home(os.environ))


def _rulebook(file: Path | None) -> Rulebook:
    book = combine(read(file) if file is not None else None)
    names_checked(AGENTS, (entry.name for entry in DEPLOYMENTS))(book)
    return book


def _summarise(book: Rulebook) -> None:
    names = {rules: name for name, rules in book.breakers.items()}
    routes = [
        (
            f"{caller} -> {destination}", _seconds(rules.timeout_seconds), rules.attempts, rules.balance.value,
            names[rules.breaker] if rules.breaker else NO_BREAKER,
        )
        for (caller, destination), rules in book.routes.items()
    ]  # fmt: skip
    screen.table(("route", "time-out", "attempts", "balance", "breaker"), routes)
    screen.out()
    breakers = [
        (name, _opens(rules), f"{rules.wait_duration_in_open_state_seconds:g} s", rules.permitted_number_of_calls)
        for name, rules in book.breakers.items()
    ]
    screen.table(("breaker", "opens", "for", "trials"), breakers)
    if book.authorisation:
        screen.out()
        allowed = [(*pair, ", ".join(sorted(tasks)) or "nothing") for pair, tasks in book.authorisation.items()]
        screen.table(("agent", "may ask", "for"), allowed)


def _opens(rules: BreakerRules) -> str:
    """When a breaker opens, in a few words."""
    if rules.sliding_window_type == "consecutive":
        return f"{counted(rules.sliding_window_size, 'failure')} in a row"
    size = rules.sliding_window_size
    window = f"{size} s" if rules.sliding_window_type == "time_based" else counted(size, "call")
    slow = f" or {rules.slow_call_rate_threshold:g} % slow" if rules.slow_call_timeout_share else ""
    least = counted(rules.calls_min, "call")
    return f"{rules.failure_rate_threshold:g} % failed{slow} of the last {window}, at least {least}"


def _seconds(value: float | None) -> str:
    return "the agent's" if value is None else f"{value:g} s"


def _values(book: Rulebook) -> Iterator[tuple[str, str, str, Any, str]]:
    """(table, name, setting, value, origin) of everything that holds."""
    for name, breaker in book.breakers.items():
        yield from _rows(book, "breakers", name, breaker)
    for (caller, destination), rules in book.routes.items():
        yield from _rows(book, "routes", f"{caller} -> {destination}", rules)
    for (sender, target), tasks in book.authorisation.items():
        name = f"{sender} -> {target}"
        yield "authorisation", name, "tasks", sorted(tasks), book.origins["authorisation", name]


def _rows(book: Rulebook, table: str, name: str, rules: BaseModel) -> Iterator[tuple[str, str, str, Any, str]]:
    names = {known: called for called, known in book.breakers.items()}
    for setting in type(rules).model_fields:
        value = getattr(rules, setting)
        shown = names[value] if isinstance(value, BreakerRules) else value
        yield table, name, setting, "" if shown is None else shown, book.origins.get((table, name, setting), _DEFAULT)


def _as_json(table: str, name: str, setting: str, value: Any, origin: str) -> dict[str, Any]:
    return {"table": table, "name": name, "setting": setting, "value": value, "origin": origin}
