"""The words of `eco chaos run`: what each may be, and the command that runs the same schedule again."""

import argparse
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from faults.campaign import SETTLE_SECONDS
from faults.kinds import BY_NAME, KINDS

_MINUTES = (0.1, 1440.0)
_REPLICAS = (1, 32)
_UPLOADS_PER_SECOND = (0.01, 100.0)
_SETTLE_SECONDS = (1.0, 3600.0)
_ENDS = "exit codes: 0 every promise was kept, 1 one was broken, 2 nothing was tried, 130 interrupted"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"eco chaos: {message}\nNext: eco chaos run --help\n")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Ends the process with code 2 where a word is not what it may be."""
    parser = _Parser(prog="eco chaos run", description="Faults by a seed over a platform of its own.", epilog=_ENDS)
    parser.add_argument("--services", type=lambda text: text.split(","), required=True, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help="another seed, another schedule (default: 1)")
    parser.add_argument(
        "--minutes", type=_number(*_MINUTES), default=1.0, help="how long faults come, 0.1 to 1440 (default: 1)"
    )
    parser.add_argument("--replicas", type=_replicas, default=2, help="of every service, 1 to 32 (default: 2)")
    parser.add_argument(
        "--rate", type=_number(*_UPLOADS_PER_SECOND), default=1.0,
        help="uploads a second, 0.01 to 100; readings are four times (default: 1)",
    )  # fmt: skip
    parser.add_argument("--kinds", type=_kinds, default=(), help="only these kinds of fault, divided by commas")
    parser.add_argument("--schedule", type=Path, help="the faults of a file, as --plan --json prints them")
    parser.add_argument("--plan", action="store_true", help="print the schedule and do nothing")
    parser.add_argument(
        "--settle", type=_number(*_SETTLE_SECONDS), default=SETTLE_SECONDS, metavar="SECONDS",
        help=f"what is under way so long after the last fault is stuck, 1 to 3600 (default: {SETTLE_SECONDS:g})",
    )  # fmt: skip
    parser.add_argument("--keep", action="store_true", help="leave the home and the journal there")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parsed = parser.parse_args(words)
    if parsed.schedule and parsed.kinds:
        parser.error("--kinds picks faults by a seed, and --schedule says each of them: give one of the two")
    return parsed


def again(parsed: argparse.Namespace) -> str:
    """The command of the same campaign: all that its schedule, its load and its verdict depend on."""
    words = ["eco", "chaos", "run", "--seed", str(parsed.seed), "--minutes", _shown(parsed.minutes)]
    words += ["--rate", _shown(parsed.rate), "--replicas", str(parsed.replicas)]
    if parsed.schedule:
        words += ["--schedule", str(parsed.schedule)]
    if parsed.kinds:
        words += ["--kinds", ",".join(parsed.kinds)]
    if parsed.settle != SETTLE_SECONDS:
        words += ["--settle", _shown(parsed.settle)]
    return shlex.join(words)


def _shown(value: float) -> str:
    # All digits: a length that is rounded may leave the last fault out.
    return str(value).removesuffix(".0")


def _number(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} to {most:g}")
        return value

    return read


def _replicas(text: str) -> int:
    value = _number(*_REPLICAS)(text)
    if value != int(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(value)


def _kinds(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    known = f"there are {', '.join(kind.name for kind in KINDS)}"
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} names no kind of fault before or after a comma; {known}")
    if unknown := sorted(set(names) - set(BY_NAME)):
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; {known}")
    return names
