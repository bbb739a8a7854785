"""`eco doctor`: which engines, what is wrong with this machine, and how to mend it. Changes nothing."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from ecosystem.cli import screen
from ecosystem.cli.noun import guarded
from ecosystem.cli.running import this_home
from ecosystem.fleet.errors import HomeOfOthers
from ecosystem.fleet.machine import Finding, examine
from ecosystem.fleet.place import config_file, policies_file
from ecosystem.fleet.plan import refuse_wrong_policies, with_account
from ecosystem.fleet.settings import FleetSettings
from ecosystem.kernel.resilience.file import PolicyRefused
from ecosystem.kernel.settings import Settings, Source

SUMMARY = "Which engines, what is wrong with this machine, how to mend it; exit code 0 if the platform can start."
_STYLES = {"good": "green", "warning": "yellow", "wrong": "red"}


def main(arguments: list[str], kinds: Sequence[type[Settings]]) -> int:
    """`kinds` are all classes of settings, those of services included: `__main__` finds them in the catalog."""
    parser = argparse.ArgumentParser(prog="eco doctor", description=SUMMARY)
    parser.add_argument("--config", type=Path, help="settings (default: ECO_CONFIG, else ./eco.toml if it is there)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parsed = parser.parse_args(arguments)
    return guarded("eco doctor", lambda: _examine(parsed, kinds))


def _policies(source: Source) -> Finding:
    home = this_home()
    file = policies_file(source, home.path)
    try:
        with home.ours():
            refuse_wrong_policies(file)
            return Finding("policies", "good", str(file) if file.exists() else "those that come with it")
    except (PolicyRefused, HomeOfOthers) as refused:
        return Finding("policies", "wrong", refused.message, refused.next_step)


def _examine(parsed: argparse.Namespace, kinds: Sequence[type[Settings]]) -> int:
    source = Source.load(config_file(parsed.config), os.environ)
    source.refuse_wrong(kinds)
    settings = source.get(FleetSettings)
    findings = [*examine(with_account(this_home(), settings), source, settings), _policies(source)]
    wrong = [finding for finding in findings if finding.verdict == "wrong"]
    if parsed.json:
        screen.as_json({"good": not wrong, "findings": [vars(finding) for finding in findings]})
        return 1 if wrong else 0
    screen.table(("what", "verdict", "fact"), [(one.name, one.verdict, one.fact) for one in findings], _STYLES)
    for finding in findings:
        if finding.mend:
            screen.out(f"{finding.name}: {finding.mend}")
    screen.out("Nothing is in the way of eco up." if not wrong else f"{len(wrong)} in the way of eco up.")
    return 1 if wrong else 0
