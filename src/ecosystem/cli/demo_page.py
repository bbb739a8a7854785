"""The demonstration as one HTML file: each page as it was sent, a box over whatever was read, and why it was judged so.

Nothing is loaded from elsewhere: images lie inside of the file, and it opens from a disk or a mail.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from ecosystem.cli import screen
from ecosystem.cli.demonstration import SURE, Report

_IMAGE_QUALITY = 78
_PAGES_SHOWN_MAX = 4


@dataclass(frozen=True)
class Box:
    """A rectangle over a page, in the units of the page; `tone` is good, unsure or bad."""

    anchor: str
    label: str
    tone: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Sheet:
    number: int
    image: str
    width: float
    height: float
    boxes: tuple[Box, ...]


def write(path: Path, reports: Sequence[Report], *, seconds: float, made_at: datetime) -> Path:
    """Write the report beside its final place and move it there, so that a half-written one is never seen.

    Raises:
        OSError: the place cannot be written.
    """
    text = page(reports, seconds=seconds, made_at=made_at)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.tmp")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
    return path.absolute()


def page(reports: Sequence[Report], *, seconds: float, made_at: datetime) -> str:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(
        resources.files("ecosystem.cli").joinpath("demo_page.html.j2").read_text(encoding="utf-8")
    )
    compared = [report for report in reports if report.compared]
    return template.render(
        documents=[_document(number, report) for number, report in enumerate(reports, 1)],
        agreeing=sum(report.good for report in compared), compared=len(compared),
        exact=sum(report.values_exact for report in compared), values=sum(report.values_true for report in compared),
        outcomes={word: sum(report.outcome == word for report in reports) for word in _OUTCOMES},
        seconds=seconds, made_at=made_at,
    )  # fmt: skip


_OUTCOMES = ("approved", "review", "rejected", "refused")


def _document(number: int, report: Report) -> dict[str, Any]:
    result = report.result
    rules = list(result.rules) if result else []
    order = {"failed": 0, "not_available": 1, "passed": 2, "not_applicable": 3}
    return {
        "number": number, "name": screen.clean(report.name), "report": report,
        "sheets": _sheets(number, report), "entries": _entries(number, report),
        "rules": sorted(rules, key=lambda rule: order.get(rule.status, 4)),
        "pages_more": max(0, report.pages - _PAGES_SHOWN_MAX),
    }  # fmt: skip


def _entries(number: int, report: Report) -> list[dict[str, Any]]:
    if report.result is None:
        return []
    return [
        {
            "anchor": f"v{number}-{index}", "value": value, "tone": _tone(report, value),
            "wrong": report.wrong.get((value.part, value.name)),
        }
        for index, value in enumerate(report.result.values)
    ]  # fmt: skip


def _tone(report: Report, value: Any) -> str:
    failing = {name for rule in (report.result.failing if report.result else ()) for name in rule.values}
    if value.name in failing:
        return "bad"
    return "unsure" if value.confidence is not None and value.confidence < SURE else "good"


def _sheets(number: int, report: Report) -> list[Sheet]:
    """The pages that were fetched, each with the boxes of its values."""
    sheets = []
    for shown in report.images[:_PAGES_SHOWN_MAX]:
        boxes = [
            _box(entry["anchor"], entry["value"], entry["tone"])
            for entry in _entries(number, report)
            if entry["value"].page == shown.number and len(entry["value"].box) == 4
        ]
        sheets.append(Sheet(shown.number, _embedded(shown.content), shown.width, shown.height, tuple(boxes)))
    return sheets


def _box(anchor: str, value: Any, tone: str) -> Box:
    left, top, right, bottom = value.box
    label = f"{value.name}: {value.value}"
    return Box(anchor, label, tone, left - 2, top - 1, max(right - left, 0) + 4, max(bottom - top, 0) + 2)


def _embedded(content: bytes) -> str:
    """As WebP, which makes a photograph a tenth of its PNG."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").save(buffer, "WEBP", quality=_IMAGE_QUALITY)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
