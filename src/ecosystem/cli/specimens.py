"""`eco specimens`: documents made from a seed, each with its truth beside it, to try the platform with."""

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from ecosystem.cli import screen
from ecosystem.cli.noun import guarded
from ecosystem.kernel.words import counted
from specimens.maker import FaultDoesNotFit, make, write
from specimens.model import (
    IMAGE_LANGUAGES,
    KINDS_OF_FAULT,
    KNOWN,
    LANGUAGES,
    REFUSED,
    TEXT_ONLY,
    USUAL,
    Fault,
    Kind,
    Quality,
    Specimen,
)
from specimens.selections import demonstration, everything

SUMMARY = "Make documents with their truth from a seed: good ones, and one for each fault."
_MORE = """
Without --kind, --language, --quality, --fault and --count it makes one of everything: each kind in each language as
text, each kind in each other quality, several documents in one file, each fault. With any of them it makes --count
documents of what is asked for and varies the rest. NAME.truth.json beside each document says what is true of it.

  eco specimens --out all
  eco specimens --out passports --kind passport --quality photo --count 5
  eco specimens --out faulty --fault altered_amount --language de
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="eco specimens", description=SUMMARY, epilog=_MORE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed, other documents (default: 1)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to; made if absent")
    parser.add_argument("--kind", type=str, choices=[*map(str, Kind)], metavar="KIND", help=", ".join(Kind))
    parser.add_argument("--language", choices=LANGUAGES, help="what they are written in")
    parser.add_argument("--quality", type=str, choices=[*map(str, Quality)], metavar="QUALITY", help=", ".join(Quality))
    parser.add_argument("--fault", type=str, choices=[*map(str, Fault)], metavar="FAULT", help=", ".join(Fault))
    parser.add_argument("--count", type=_count, metavar="N", help="how many (default: 1)")
    parser.add_argument(
        "--as-of", type=_day, metavar="DATE", help="the day they are written as of (default: today, UTC)"
    )
    parser.add_argument(
        "--locale", choices=("en_GB", "en_US"), help="that of the company: English documents come from there"
    )
    parser.add_argument("--demo", action="store_true", help="only the fourteen that `eco demo` sends")
    parser.add_argument("--json", action="store_true", help="print the truths")
    parsed = parser.parse_args(arguments)
    for name, kind in (("kind", Kind), ("quality", Quality), ("fault", Fault)):
        if (word := getattr(parsed, name)) is not None:
            setattr(parsed, name, kind(word))
    return guarded("eco specimens", lambda: _make(parser, parsed))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a date such as 2026-11-24") from None


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 10000")
    return int(text)


def _make(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> int:
    as_of = parsed.as_of or datetime.now(UTC).date()
    narrowed = any((parsed.kind, parsed.language, parsed.quality, parsed.fault, parsed.count))
    if parsed.demo:
        made = demonstration(parsed.seed, as_of, parsed.locale)
    elif narrowed:
        try:
            made = list(_asked_for(parsed, as_of))
        except FaultDoesNotFit as unfit:
            parser.error(str(unfit))
    else:
        made = everything(parsed.seed, as_of, parsed.locale)
    write(made, parsed.out)
    if parsed.json:
        screen.as_json([one.as_json() for one in made])
        return 0
    rows = [(one.name, one.truth.outcome, ", ".join(one.truth.failing_rules) or one.truth.refusal_rule) for one in made]
    screen.table(("document", "outcome", "because of"), rows)
    screen.note(f"{counted(len(made), 'document')} in {parsed.out}, each with its truth beside it (NAME.truth.json).")
    return 0


def _asked_for(parsed: argparse.Namespace, as_of: date) -> Iterator[Specimen]:
    """What is not named is taken in turn; seeds count up, so that no two are the same document."""
    kinds = (parsed.kind,) if parsed.kind else KINDS_OF_FAULT.get(parsed.fault, KNOWN)
    languages: Sequence[str] = (parsed.language,) if parsed.language else LANGUAGES
    only_text = parsed.fault in (*TEXT_ONLY, *REFUSED)
    qualities = (parsed.quality,) if parsed.quality else (Quality.TEXT,) if only_text else USUAL
    for number in range(parsed.count or 1):
        turn = number // len(kinds)
        quality = qualities[(number + turn) % len(qualities)]
        fitting = [one for one in languages if quality is Quality.TEXT or one in IMAGE_LANGUAGES] or languages
        yield make(
            kinds[number % len(kinds)],
            seed=parsed.seed + number,
            as_of=as_of,
            fault=parsed.fault,
            language=fitting[turn % len(fitting)],
            quality=quality,
            locale=parsed.locale,
        )
