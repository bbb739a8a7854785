"""The command line: one file per noun, imported only when it is asked for.

A noun is a module of this package with `SUMMARY: str` and `main(arguments: list[str]) -> int` (the exit code); add its
name to `COMMANDS` and it is there, in the help too.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ecosystem import __version__

COMMANDS: dict[str, tuple[tuple[str, str], ...]] = {
    "Run the platform": (
        ("up", "start the platform of this home"),
        ("status", "every process with its state"),
        ("logs", "log lines of a service"),
        ("scale", "change the number of a service's replicas"),
        ("restart", "replace processes one after the other, without a failed request"),
        ("down", "stop everything in order"),
        ("runbook", "walk through a page of docs/runbooks"),
        ("engines", "what the platform stands on, as it is now: postgres, cache, objects, edge"),
        ("doctor", "which engines, what is wrong with this machine, how to mend it"),
        (
            "recovery",
            "faults and repairs: status, episodes, actions, show, queue, ask-again, give-up, approve, refuse, undo,"
            " clear, pause, resume",
        ),
        ("work", "what needs a person: list, show, claim, retry, close"),
        ("config", "every setting with its value and origin"),
        ("identities", "certificates of processes: list, revoke"),
        ("policies", "how destinations are called and when they are left alone: show, check"),
    ),
    "Work with it": (
        ("demo", "a platform of its own, documents through it, a table of what came out"),
        ("login", "become the operator of this home"),
        ("company", "companies: create, list, show"),
        ("client", "clients of a company: create, list, revoke, rotate-secret"),
        ("documents", "documents: upload, list, show, result, erase"),
        ("reviews", "documents that await a person: list, show, claim, release, decide"),
        ("rules", "rule sets: list, show, check, test, explain, replay"),
        ("runs", "runs of workflows: list, show, explain, cancel, retry"),
        ("incidents", "what went wrong: list, show, episodes, ack, resolve, postmortem, ticket, status"),
        ("audit", "who did what: list, show, verify, export"),
        ("events", "the event log: list, tail, show, consumers, replay, dead-letters"),
        ("oncall", "who is called when something needs a person: show, set, override, page, ack"),
        ("notifications", "where messages go, and which went: channels, add, remove, test, list"),
        ("specimens", "make documents with their truth"),
    ),
    "Work on it": (
        ("test", "checks and tests of this checkout"),
        ("check", "lint, types, layers, form, schemas, licences"),
        ("bench", "measure against named baselines"),
        ("chaos", "a platform of its own, faults by a seed, and a checker of what was promised"),
        ("schemas", "write schemas/ anew from the code"),
    ),
}
_NAMES = [name for group in COMMANDS.values() for name, _ in group]


Finders = Mapping[str, Callable[[], Any]]


def main(arguments: list[str], finders: Finders | None = None) -> int:
    """`finders` bring, by command, what only `__main__` can find, because it stands in services."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())  # noqa: T201
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"eco {__version__}")  # noqa: T201
        return 0
    name = arguments[0]
    if name not in _NAMES:
        near = [known for known in _NAMES if known.startswith(name[:2])]
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        print(f"eco: there is no command {name!r}.{hint}\nNext: eco --help", file=sys.stderr)  # noqa: T201
        return 2
    further = (finders[name](),) if finders and name in finders else ()
    code: int = importlib.import_module(f"ecosystem.cli.{name}").main(arguments[1:], *further)
    return code


def usage() -> str:
    width = max(map(len, _NAMES)) + 2
    lines = ["usage: eco COMMAND …    (eco COMMAND --help says more)", ""]
    for title, commands in COMMANDS.items():
        lines += [f"{title}:", *(f"  {name:<{width}}{summary}" for name, summary in commands), ""]
    return "\n".join(lines).rstrip()
