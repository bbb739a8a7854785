"""Goal: nobody reads `1 attempts`. Method: the words for numbers, and a look at every text of the code for a number
beside a noun that is not counted.
"""

import ast
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest

from ecosystem.kernel.words import counted, moment, plural, times
from tests.tidy.tree import ROOT

NOUNS = (
    "attempt", "call", "channel", "connection", "day", "dead letter", "document", "entry", "episode", "event",
    "failure", "fault", "judgement", "line", "message", "minute", "object", "page", "process", "replica", "request",
    "rule", "run", "second", "service", "step", "test", "time",
)  # fmt: skip
PLURALS = re.compile(rf"^ ({'|'.join(sorted(map(plural, NOUNS)))})\b")
PLACES = (
    "cli",
    "fleet",
    "services/monitoring",
    "services/orchestrator",
    "services/recovery",
    "services/objects",
    "services/postgres",
)


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (0, "message", "0 messages"), (1, "replica", "1 replica"), (2, "company", "2 companies"),
        (3, "batch", "3 batches"), (1.0, "call", "1 call"), (4, "day", "4 days"), (2, "process", "2 processes"),
    ],
)  # fmt: skip
def test_a_counted_noun_is_singular_for_one_alone(number: float, noun: str, said: str) -> None:
    assert counted(number, noun) == said


def test_an_irregular_plural_is_given() -> None:
    assert (counted(2, "unit of work", "units of work"), counted(1, "person", "people")) == (
        "2 units of work", "1 person",
    )  # fmt: skip


def test_how_often() -> None:
    assert [times(number) for number in (0, 1, 2, 3)] == ["0 times", "once", "twice", "3 times"]


def test_a_moment_is_said_in_utc() -> None:
    at = datetime(2026, 11, 24, 9, 30, 5, 7999, timezone(timedelta(hours=1)))

    assert (moment(at), moment(at, exact=True)) == ("2026-11-24 08:30:05Z", "2026-11-24 08:30:05.007Z")


def test_no_text_puts_a_number_beside_a_plural() -> None:
    folders = [ROOT / "src" / "ecosystem" / place for place in PLACES]
    found = [
        f"{file.relative_to(ROOT)}:{line}: …{text}"
        for folder in folders for file in sorted(folder.rglob("*.py")) for line, text in _uncounted(file.read_text())
    ]  # fmt: skip

    assert not found, "\n".join(found)


def _uncounted(source: str) -> Iterator[tuple[int, str]]:
    """A filled place of a text, followed by a plural. Limits are more than one: in capitals, or `_max`."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, after in pairwise(node.values):
            if not (isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant)):
                continue
            name = ast.unparse(value.value)
            is_limit = name.rpartition(".")[2].isupper() or name.lower().endswith("_max")
            if (text := PLURALS.match(str(after.value))) and not is_limit:
                yield value.lineno, f"{{{name}}}{text[0]}"
