"""The table that ends a demonstration, and the same as JSON."""

import sys
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ecosystem.cli import screen
from ecosystem.cli.demonstration import Report
from ecosystem.cli.documents import STYLES

_WIDTH_MIN = 150
_VALUES_SHOWN = 4


def table(reports: Sequence[Report]) -> None:
    """Wide enough to be read; colours and lines only on a terminal."""
    terminal = sys.stdout.isatty()
    console = Console(width=max(Console().width, _WIDTH_MIN) if terminal else 190)
    drawn = Table(box=box.SIMPLE_HEAD if terminal else box.ASCII2, pad_edge=False, show_lines=not terminal)
    for name, least in (("document", 18), ("kind", 12), ("what was read", 34), ("score", 6), ("outcome", 8)):
        drawn.add_column(name, overflow="fold", min_width=least)
    drawn.add_column("failing rules, with their evidence", overflow="fold", ratio=1)
    drawn.add_column("time", justify="right")
    drawn.add_column("look further", overflow="fold", min_width=18)
    drawn.add_column("as it should be")
    for report in reports:
        drawn.add_row(*_row(report))
    console.print(drawn)
    for report in reports:
        for difference in report.differences:
            console.print(Text(f"{screen.clean(report.name)}: {screen.clean(difference)}"), soft_wrap=True)


def _row(report: Report) -> list[Text]:
    outcome = report.outcome or "none"
    return [
        Text(screen.clean(report.name)),
        Text(screen.clean(report.kind)),
        Text(_read(report)),
        Text(report.score or ""),
        Text(outcome, style=STYLES.get(outcome, "red bold")),
        Text(_why(report)),
        Text(f"{report.seconds:.2f} s"),
        Text(_further(report)),
        Text("", "") if not report.compared else Text("yes", "green") if report.good else Text("NO", "red bold"),
    ]


def _read(report: Report) -> str:
    """The first values in full, the others by number: a table is a summary."""
    lines = [f"{name}: {screen.clean(value)}" for name, value in list(report.values.items())[:_VALUES_SHOWN]]
    more = len(report.values) - _VALUES_SHOWN
    return "\n".join([*lines, f"and {more} more"] if more > 0 else lines)


def _why(report: Report) -> str:
    if report.trouble:
        return screen.clean(report.trouble)
    lines = [f"{rule}: {screen.clean(evidence)}" for rule, evidence in report.failing]
    return "\n".join(lines or [screen.clean(reason) for reason in report.reasons])


def _further(report: Report) -> str:
    """An id for `eco documents result`, or the trace of a refusal for `eco logs --trace`."""
    if report.document_id:
        return f"document {report.document_id}"
    return f"trace {report.trace_id}" if report.trace_id else ""


def as_json(reports: Sequence[Report], **about: Any) -> None:
    screen.as_json({**about, "documents": [_document(report) for report in reports]})


def _document(report: Report) -> dict[str, Any]:
    return {
        "document": report.name,
        "kind": report.kind,
        "values": report.values,
        "score": report.score,
        "outcome": report.outcome,
        "failing_rules": [{"rule": rule, "evidence": evidence} for rule, evidence in report.failing],
        "refusal_rule": report.refusal,
        "reasons": report.reasons,
        "seconds": round(report.seconds, 3),
        "document_id": report.document_id,
        "trace_id": report.trace_id,
        "trouble": report.trouble,
        "compared": report.compared,
        "differences": report.differences,
    }
