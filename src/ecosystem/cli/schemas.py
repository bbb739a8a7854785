"""`eco schemas`: what others build against, generated from the code and committed; a difference fails the check."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecosystem.cli.project import ROOT
from ecosystem.contracts import index

SUMMARY = "Write schemas/ anew from the code, or check that it is what the code says."
FOLDER = ROOT / "schemas"


def main(arguments: list[str], described: Mapping[str, dict[str, Any]] | None = None) -> int:
    """`described` is what stands in services, by its file below schemas/: `__main__` composes it from the catalog."""
    parser = argparse.ArgumentParser(prog="eco schemas", description=SUMMARY)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where a file differs")
    wanted = {path: _text(document) for path, document in documents(described or {}).items()}
    if not parser.parse_args(arguments).check:
        _write(wanted)
        return 0
    differing = sorted(_differing(wanted))
    for path in differing:
        print(f"{path.relative_to(ROOT)} is not what the code says", file=sys.stderr)  # noqa: T201
    return 1 if differing else 0


def documents(described: Mapping[str, dict[str, Any]]) -> dict[Path, dict[str, Any]]:
    """Every file of schemas/ with its content: what stands in services, JSON Schema 2020-12 of events and tasks."""
    found = {FOLDER / name: document for name, document in described.items()}
    for name, event in index.EVENTS.items():
        found[FOLDER / "events" / f"{name}.json"] = event.model_json_schema()
    for agent_id, card in index.AGENTS.items():
        for task in card.tasks:
            found[FOLDER / "agents" / agent_id / f"{task.request_type}.json"] = {
                "agent": agent_id,
                "request_type": task.request_type,
                "effect": task.effect,
                "timeout_seconds_max": card.limits.timeout_seconds,
                "payload": task.model_json_schema(),
                "result": task.result.model_json_schema(mode="serialization"),
            }
    return found


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _differing(wanted: dict[Path, str]) -> set[Path]:
    present = set(FOLDER.rglob("*.json"))
    changed = {path for path, text in wanted.items() if path not in present or path.read_text() != text}
    return changed | (present - set(wanted))


def _write(wanted: dict[Path, str]) -> None:
    for path in _differing(wanted):
        if path not in wanted:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
