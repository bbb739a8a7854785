"""`eco engines`: what the services that watch database, cache, objects and edge say of them now."""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, run_noun
from ecosystem.cli.operator import connect

SUMMARY = "Database, cache, objects and edge as they are now: postgres, cache, objects, edge."
_PATHS = {
    "postgres": ("/v1/engines/postgres", "Connections by role, what waits, the horizon; warnings say what to do."),
    "cache": ("/v1/engines/cache", "Memory, hit ratio, keys by pattern."),
    "objects": ("/v1/engines/objects", "What is kept, and whether it is whole."),
    "edge": ("/v1/edge", "Where the edge sends what, and what it refused."),
}  # fmt: skip


def main(arguments: list[str]) -> int:
    verbs = tuple(Verb(name, said, _shown(path)) for name, (path, said) in _PATHS.items())
    return run_noun("engines", SUMMARY, verbs, arguments)


def _shown(path: str) -> Any:
    def show(parsed: argparse.Namespace) -> int:
        with connect() as ecosystem:
            found = ecosystem.get(path)
        if parsed.json:
            screen.as_json(found)
            return 0
        screen.facts(_flat(found))
        for warning in found.get("warnings", ()):
            screen.note(screen.clean(warning))
        return 0

    return show


def _flat(found: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Values by their place (`statistics.connections`); things of a list each by its first value, which names it."""
    for name, value in found.items():
        place = f"{before}{name}"
        if place == "warnings":
            continue  # told in sentences of their own
        if isinstance(value, Mapping):
            yield from _flat(value, f"{place}.")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for item in value:
                (_, thing), *rest = item.items()
                said = (f"{what} {_word(which)}" for what, which in rest if which is not None)
                yield f"{place}.{thing}", ", ".join(said)
        else:
            yield place, ", ".join(map(str, value)) or "none" if isinstance(value, list) else _word(value)


def _word(value: Any) -> Any:
    return ("no", "yes")[value] if isinstance(value, bool) else value
