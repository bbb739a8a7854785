"""`eco specimens`: documents made from a seed, each with its truth beside it, to try the platform with."""

import argparse
from datetime import UTC, date, datetime
from pathlib import Path

from ecosystem.cli import screen
from ecosystem.cli.noun import guarded
from specimens.maker import demonstration, everything, write

SUMMARY = "Make documents with their truth from a seed: good ones, and one for each fault."


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="eco specimens", description=SUMMARY)
    parser.add_argument("--seed", type=int, default=1, help="another seed, other documents (default: 1)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to; made if absent")
    parser.add_argument(
        "--as-of", type=_day, metavar="DATE", help="the day they are written as of (default: today, UTC)"
    )
    parser.add_argument(
        "--locale", choices=("en_GB", "en_US"), help="let some write dates as 01/02/2026, as used there"
    )
    parser.add_argument("--demo", action="store_true", help="only the ten that `eco demo` sends")
    parser.add_argument("--json", action="store_true", help="print the truths")
    parsed = parser.parse_args(arguments)
    return guarded("eco specimens", lambda: _make(parsed))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a date such as 2026-11-24") from None


def _make(parsed: argparse.Namespace) -> int:
    chosen = demonstration if parsed.demo else everything
    made = chosen(parsed.seed, parsed.as_of or datetime.now(UTC).date(), parsed.locale)
    write(made, parsed.out)
    if parsed.json:
        screen.as_json([{"file": one.name, **one.truth.as_json()} for one in made])
        return 0
    rows = [(one.name, one.truth.outcome, ", ".join(one.truth.failing_rules) or one.truth.refusal_rule) for one in made]
    screen.table(("document", "outcome", "because of"), rows)
    screen.note(f"{len(made)} documents in {parsed.out}, each with its truth beside it (NAME.truth.json).")
    return 0
