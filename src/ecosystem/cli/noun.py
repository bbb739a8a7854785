"""How a noun of the command line becomes verbs with options, and how its refusals look.

The client takes longer to import than all else: whoever only asks the fleet (`status`, `logs`) goes without it.
"""

import argparse
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from ecosystem.cli import screen
from ecosystem.cli.steps import STEPS
from ecosystem.kernel.errors import EcosystemError

if TYPE_CHECKING:
    from ecosystem_client.reading import Model, Page

T = TypeVar("T", bound="Model")


@dataclass(frozen=True)
class Verb:
    """`run` returns the exit code; what it raises becomes one clear message and exit code 1."""

    name: str
    summary: str
    run: Callable[[argparse.Namespace], int]
    options: Callable[[argparse.ArgumentParser], None] | None = None


def run_noun(name: str, summary: str, verbs: Sequence[Verb], arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"eco {name}", description=summary)
    chosen = parser.add_subparsers(metavar="VERB", required=True)
    for verb in verbs:
        below = chosen.add_parser(verb.name, help=verb.summary, description=verb.summary)
        if verb.options is not None:
            verb.options(below)
        below.add_argument("--json", action="store_true", help="print JSON, as the platform answered")
        below.set_defaults(run=verb.run)
    parsed = parser.parse_args(arguments)
    return guarded(f"eco {name}", lambda: int(parsed.run(parsed)))


def guarded(prog: str, work: Callable[[], int]) -> int:
    """Run `work`; refusals and failures of the world are told with their next step, our own mistakes crash."""
    try:
        code = work()
        sys.stdout.flush()
        return code
    except EcosystemError as error:
        return refuse(prog, error.message, error.next_step)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            # The reader of our output has seen enough (`| head`).
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return refuse(prog, f"{error.filename or 'a file'}: {error.strerror}", None)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        return _refuse_for_the_client(prog, error)


def _refuse_for_the_client(prog: str, failed: Exception) -> int:
    """What the platform answered, or that it did not; what is no failure of the client is raised again."""
    from ecosystem_client import ApiError, EcosystemFailure, NotSendable

    match failed:
        case ApiError():
            trace = f"eco logs --trace {failed.trace_id}" if failed.trace_id and failed.status >= 500 else None
            step = STEPS.get(failed.code) or failed.next_step or trace
            return refuse(prog, f"{failed.detail} ({failed.code})", step)
        case NotSendable():
            return refuse(prog, failed.rule, failed.next_step)
        case EcosystemFailure():
            return refuse(prog, str(failed), "eco status shows what runs and what does not")
    raise failed


def refuse(prog: str, message: str, next_step: str | None) -> int:
    screen.note(f"{prog}: {screen.clean(message)}")
    if next_step:
        screen.note(f"Next: {screen.clean(next_step)}")
    return 1


def company_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--company", metavar="ID|NAME", help="act for this company (default: the only one)")


def paging_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=limit, default=20, help="rows a page, 1 to 200 (default: 20)")
    parser.add_argument("--cursor", help="go on from here, as the page before says")
    parser.add_argument("--all", action="store_true", help="all pages")


def limit(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 200:
        raise argparse.ArgumentTypeError("a number from 1 to 200 is expected")
    return int(text)


def duration(text: str) -> float:
    """Seconds on the command line."""
    try:
        found = float(text)
    except ValueError:
        found = -1
    if not 0 <= found < math.inf:
        raise argparse.ArgumentTypeError("a number of seconds is expected, 0 or more")
    return found


def moment(text: str) -> datetime:
    """A time on the command line: ISO 8601, UTC where no offset is given."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not an ISO 8601 time such as 2026-11-24T08:30:00") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def pages(parsed: argparse.Namespace, fetch: "Callable[[str | None], Page[T]]") -> "Page[T]":
    """The page that was asked for, or with --all everything from there on as one page."""
    from ecosystem_client.reading import Page

    page = fetch(parsed.cursor)
    if not parsed.all:
        return page
    items = [*page.items, *_rest(page.next_cursor, fetch)]
    return Page(tuple(items), None)


def _rest(cursor: str | None, fetch: "Callable[[str | None], Page[T]]") -> Iterator[T]:
    while cursor is not None:
        page = fetch(cursor)
        yield from page.items
        cursor = page.next_cursor


def show_page(
    parsed: argparse.Namespace,
    page: "Page[T]",
    columns: Sequence[str],
    row: Callable[[T], Sequence[object]],
    *,
    empty: str,
    styles: dict[str, str] | None = None,
) -> int:
    """A table of the page; `empty` says what to do when there is nothing."""
    if parsed.json:
        screen.as_json({"items": [item.raw for item in page.items], "next_cursor": page.next_cursor})
        return 0
    if not page.items:
        screen.note(empty)
        return 0
    screen.table(columns, [row(item) for item in page.items], styles)
    if page.next_cursor is not None:
        screen.note(f"There is more: --cursor {page.next_cursor}")
    return 0
