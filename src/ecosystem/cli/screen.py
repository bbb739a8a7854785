"""What commands print: tables for people, plain columns for pipes, JSON for programs; never a customer's escapes.

Light: what draws tables is imported when one is drawn.
"""

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ecosystem.kernel.words import moment

_BREAKS = {"\n": " ", "\t": " "}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
_HIDDEN = ("Cc", "Cf", "Cs")
"""Control signs (escapes of a terminal), signs that turn or hide what follows, halves of a sign."""


def clean(value: Any) -> str:
    """One line of text that a terminal shows and never obeys: names and values come from customers."""
    text = "" if value is None else str(value)
    return "".join(
        _BREAKS.get(character, "�") if unicodedata.category(character) in _HIDDEN else character for character in text
    )


def when(at: datetime | None, *, exact: bool = False) -> str:
    """The one form in which commands show times: in UTC, to the second, or to the millisecond."""
    return "" if at is None else moment(at, exact=exact)


def out(text: str = "") -> None:
    sys.stdout.write(text + "\n")


def out_now(text: str) -> None:
    """Without waiting for more: the reader of a stream wants each line as it comes."""
    out(text)
    sys.stdout.flush()


def note(text: str) -> None:
    """Beside the result: progress and hints, where a pipe does not take them for data."""
    sys.stderr.write(text + "\n")


def as_json(value: Any) -> None:
    """The same values for a program, and nothing that a terminal would obey: JSON can say every sign by its number."""
    out(_as_json(value, indent=2))


def as_json_now(value: Any) -> None:
    """One value of several, on a line of its own, as it comes."""
    out_now(json_line(value))


def json_line(value: Any) -> str:
    """As `as_json` says it, in one line."""
    return _as_json(value)


def _as_json(value: Any, indent: int | None = None) -> str:
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=str)
    return "".join(
        json.dumps(sign)[1:-1] if sign != "\n" and unicodedata.category(sign) in _HIDDEN else sign for sign in text
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], styles: dict[str, str] | None = None) -> None:
    """`styles`: a style for each text that is a cell of its own (`{"approved": "green"}`), on a terminal only."""
    cells = [[clean(_read(value)) for value in row] for row in rows]
    if not sys.stdout.isatty():
        _plain(columns, cells)
        return
    from ecosystem.cli import drawing

    drawing.table(columns, cells, styles or {})


def facts(pairs: Iterable[tuple[str, Any]]) -> None:
    """A name and a value on each line; what is None is left out."""
    shown = [(name, clean(_read(value))) for name, value in pairs if value is not None]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        out(f"{name:<{width}}  {value}")


def record(answered: Mapping[str, Any]) -> None:
    """What the platform answered about one thing, without what is nested in it."""
    facts((name, value) for name, value in answered.items() if not isinstance(value, dict | list))


def _read(value: Any) -> Any:
    """Times as everywhere, also those that come as texts."""
    return when(datetime.fromisoformat(value)) if isinstance(value, str) and _TIME.fullmatch(value) else value


def _plain(columns: Sequence[str], rows: list[list[str]]) -> None:
    everything = [[column.upper() for column in columns], *rows]
    widths = [max(len(row[n]) for row in everything) for n in range(len(columns))]
    for row in everything:
        out("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())
