"""The table that ends a demonstration, and the same as JSON and as a picture."""

import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ecosystem.cli import screen
from ecosystem.cli.demonstration import Report
from ecosystem.cli.documents import STYLES

_WIDE = 170
"""Columns of text that the whole table needs; on a narrower terminal kinds and ids find another place."""
_PIPED = 120
_PICTURED = 140
_VALUES_SHOWN = 4


def table(reports: Sequence[Report]) -> None:
    """Colours and thin lines on a terminal only."""
    terminal = sys.stdout.isatty()
    console = Console() if terminal else Console(width=_PIPED)
    wide = console.width >= _WIDE
    console.print(_drawn(reports, wide=wide, terminal=terminal))
    if not wide:
        console.print("look further:")
        for report in reports:
            if further := _further(report):  # What was never sent left nothing to look at.
                console.print(Text(f"{screen.clean(report.name)}: {further}"), soft_wrap=True)
    for report in reports:
        for difference in report.differences:
            console.print(Text(f"{screen.clean(report.name)}: {screen.clean(difference)}"), soft_wrap=True)


def picture(reports: Sequence[Report], file: Path) -> None:
    """Write the table as a terminal shows it to an SVG that asks no other host for anything."""
    console = Console(record=True, width=_PICTURED, force_terminal=True, color_system="truecolor", file=io.StringIO())
    console.print(_drawn(reports, wide=False, terminal=True))
    form = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    file.write_text(console.export_svg(title="./eco demo", code_format=form, unique_id="demo") + "\n")


def _drawn(reports: Sequence[Report], *, wide: bool, terminal: bool) -> Table:
    drawn = Table(box=box.SIMPLE_HEAD if terminal else box.ASCII2, pad_edge=False, show_lines=not terminal)
    drawn.add_column("document" if wide else "document, kind", overflow="fold")
    if wide:
        drawn.add_column("kind", no_wrap=True)
    drawn.add_column("what was read", overflow="fold", ratio=4)
    drawn.add_column("score", justify="right")
    drawn.add_column("outcome", no_wrap=True)
    drawn.add_column("failing rules, with their evidence", overflow="fold", ratio=4)
    drawn.add_column("time", justify="right", no_wrap=True)
    if wide:
        drawn.add_column("look further", no_wrap=True)
    drawn.add_column("as told")
    for report in reports:
        drawn.add_row(*_row(report, wide=wide))
    return drawn


def _row(report: Report, *, wide: bool) -> list[Text]:
    outcome = report.outcome or "none"
    kind, name = screen.clean(report.kind), screen.clean(report.name)
    agrees = Text("yes", "green") if report.good else Text("NO", "red bold")
    return [
        *((Text(name), Text(kind)) if wide else (Text(f"{name}\n{kind}".strip()),)),
        Text(_read(report)),
        Text(report.score or ""),
        Text(outcome, style=STYLES.get(outcome, "red bold")),
        Text(_why(report)),
        Text(f"{report.seconds:.2f} s"),
        *((Text(_further(report)),) if wide else ()),
        agrees if report.compared else Text(""),
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
        return report.document_id
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
