"""`eco config show`: every setting with its value, and with --origin where that comes from."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ecosystem.cli import screen
from ecosystem.cli.noun import guarded
from ecosystem.fleet.place import config_file
from ecosystem.kernel.errors import NotFound
from ecosystem.kernel.settings import Origin, Settings, Source, before_the_fleet

SUMMARY = "Every setting with its value and origin; secrets are masked."
_LATER = "(decided when a process starts)"


def main(arguments: list[str], kinds: Sequence[type[Settings]] = ()) -> int:
    """`kinds` are all classes of settings, those of services included: `__main__` finds them in the catalog."""
    parser = argparse.ArgumentParser(prog="eco config", description=SUMMARY)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    show = verbs.add_parser("show", help=SUMMARY, description=SUMMARY)
    show.add_argument("section", nargs="?", help="only this one: creditx")
    show.add_argument("--origin", action="store_true", help="say where each value comes from")
    show.add_argument("--config", type=Path, help="settings (default: ECO_CONFIG, else ./eco.toml if it is there)")
    show.add_argument("--json", action="store_true", help="print JSON")
    parsed = parser.parse_args(arguments)
    return guarded("eco config", lambda: _show(parsed, kinds))


def _show(parsed: argparse.Namespace, kinds: Sequence[type[Settings]]) -> int:
    source = Source.load(config_file(parsed.config), os.environ)
    source.refuse_wrong(kinds)
    wanted = [kind for kind in kinds if parsed.section in (None, kind.section)]
    if not wanted:
        sections = ", ".join(sorted(kind.section for kind in kinds))
        raise NotFound(f"There is no section {parsed.section}.", suggestion=f"one of: {sections}")
    found = [setting for kind in sorted(wanted, key=lambda kind: kind.section) for setting in explained(source, kind)]
    if parsed.json:
        screen.as_json({"file": source.path, "settings": [vars(setting) for setting in found]})
        return 0
    columns = ("setting", "value", "range", *(("origin",) if parsed.origin else ()), "meaning")
    rows = [
        (
            f"{one.section}.{one.name}", one.value, one.allowed, *((one.origin,) if parsed.origin else ()),
            one.description,
        )
        for one in found
    ]  # fmt: skip
    screen.table(columns, rows)
    return 0


def explained(source: Source, kind: type[Settings]) -> list[Origin]:
    """All settings of one section. What the fleet decides for each process has no value yet.

    Raises SettingRefused for a value out of its range.
    """
    return [
        replace(one, value=_LATER, origin="the fleet")
        if one.origin == "default" and kind.model_fields[one.name].is_required() else one
        for one in source.explain(before_the_fleet(kind))
    ]  # fmt: skip
