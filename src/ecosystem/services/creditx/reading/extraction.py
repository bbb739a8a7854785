"""What stands on a document: its kind and its values, each with page, box, confidence and method. In the sandbox."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from ecosystem.services.creditx.reading import values
from ecosystem.services.creditx.reading.kinds import UNKNOWN, FieldOf, KindOf, kinds, normal
from ecosystem.services.creditx.reading.layout import Cell, Line, lines_of

VERSION = 1
_METHOD = "text_layer"
_BESIDE, _AFTER_COLON, _BELOW, _RUN_ON = 0.98, 0.98, 0.95, 0.7
_SAME_EDGE_POINTS, _BELOW_HEIGHTS, _NEXT_LINE_HEIGHTS = 4.0, 2.4, 1.7
_MOVEMENTS_MAX = 20_000
_TYPED = ("date", "date_range", "amount", "iban", "bic")


@dataclass
class _Found:
    """The text that stands for a field, and how it was found."""

    cell: Cell
    text: str
    confidence: float


@dataclass
class _Candidates:
    by_field: dict[str, list[_Found]] = field(default_factory=dict)

    def add(self, name: str, found: _Found) -> None:
        self.by_field.setdefault(name, []).append(found)


def prepare_sandbox() -> None:
    kinds()
    empty = pypdfium2.PdfDocument.new()
    empty.new_page(100, 100)
    buffer = io.BytesIO()
    empty.save(buffer)
    extract(buffer.getvalue(), media_type="application/pdf", date_order="DMY")


def extract(
    payload: bytes, *, media_type: str, date_order: str, country: str | None = None,
    page_texts: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:  # fmt: skip
    """`{"kind", "kind_confidence", "values", "movements", "conflicts", "pages", "pages_without_text", "characters"}`.

    `values` are as in `contracts.creditx.Value`. `movements` is `{"count", "sum"}`, or None where the table cannot
    be read beyond doubt. `conflicts` names fields that stand there more than once with different values.
    `date_order` is `DMY` or `MDY`.
    """
    by_ocr = {text["page"] for text in page_texts if text["lines"]}
    if media_type != "application/pdf":
        return _answer(None, 0.0, [], None, [], pages=1, without=1 - len(by_ocr & {1}), characters=0)
    document = pypdfium2.PdfDocument(payload)
    lines: list[Line] = []
    pages, without = len(document), 0
    for index in range(pages):
        page = document[index]
        found = lines_of(page, index + 1)
        if not found and index + 1 not in by_ocr and (pages == 1 or pdfium.FPDFPage_CountObjects(page.raw) > 0):
            without += 1
        lines += found
        page.close()
    characters = sum(len(cell.text) for line in lines for cell in line)
    kind, confidence, candidates = _recognise(lines)
    if kind is None:
        return _answer(None, confidence, [], None, [], pages=pages, without=without, characters=characters)
    read, conflicts = _read(kind, candidates, date_order)
    movements = _movements(lines, date_order) if kind.movements else None
    return _answer(kind, confidence, read, movements, conflicts, pages=pages, without=without, characters=characters)


def _answer(
    kind: KindOf | None, confidence: float, read: list[dict[str, Any]], movements: dict[str, Any] | None,
    conflicts: list[str], *, pages: int, without: int, characters: int,
) -> dict[str, Any]:  # fmt: skip
    return {
        "kind": kind.kind if kind else UNKNOWN, "kind_confidence": confidence, "values": read,
        "movements": movements, "conflicts": conflicts, "pages": pages, "pages_without_text": without,
        "characters": characters, "version": VERSION,
    }  # fmt: skip


def _recognise(lines: list[Line]) -> tuple[KindOf | None, float, _Candidates]:
    """The kind with the best proof: its title alone in a cell of the first page, and its labels."""
    first = {normal(cell.text) for line in lines for cell in line if cell.page == 1}
    best: tuple[float, KindOf | None, _Candidates] = (0.0, None, _Candidates())
    for kind in kinds():
        titled = any(normal(title) in first for title in kind.titles)
        candidates = _candidates(kind, lines)
        wanted = kind.required
        share = len(candidates.by_field.keys() & set(wanted)) / len(wanted)
        if not (titled and share > 0) and share < 0.75:
            continue
        score = round(0.5 * titled + 0.5 * min(1.0, share + 0.1), 2)
        if score > best[0]:
            best = (score, kind, candidates)
    return best[1], best[0], best[2]


def _candidates(kind: KindOf, lines: list[Line]) -> _Candidates:
    """Where values of this kind's fields may stand: after a colon, in the next cell, or below their label."""
    labels, found = kind.labels(), _Candidates()
    for number, line in enumerate(lines):
        for position, cell in enumerate(line):
            if name := labels.get(normal(cell.text)):
                value = _beside(line, position, labels) or _below(lines, number, cell, labels)
                if value:
                    if kind.fields[name].type == "address":
                        value.text = _continued(lines, value, labels)
                    found.add(name, value)
                continue
            _within(kind, cell, labels, found)
    return found


def _within(kind: KindOf, cell: Cell, labels: dict[str, str], found: _Candidates) -> None:
    """`Label: value` in one cell, or a typed value that follows its label without a colon."""
    head, colon, rest = cell.text.partition(":")
    if colon and rest.strip() and (name := labels.get(normal(head))):
        found.add(name, _Found(cell, rest.strip(), _AFTER_COLON))
        return
    text = " ".join(cell.text.split())
    folded = text.casefold()
    for label in sorted(labels, key=len, reverse=True):
        name = labels[label]
        if kind.fields[name].type in _TYPED and folded.startswith(label + " "):
            found.add(name, _Found(cell, text[len(label) :].strip(), _RUN_ON))
            return


def _beside(line: Line, position: int, labels: dict[str, str]) -> _Found | None:
    if position + 1 >= len(line) or normal(line[position + 1].text) in labels:
        return None
    return _Found(line[position + 1], line[position + 1].text, _BESIDE)


def _below(lines: list[Line], number: int, label: Cell, labels: dict[str, str]) -> _Found | None:
    for line in lines[number + 1 : number + 3]:
        for cell in line:
            near = 0 <= cell.middle - label.middle <= _BELOW_HEIGHTS * max(label.height, cell.height)
            if cell.page == label.page and near and abs(cell.box[0] - label.box[0]) <= _SAME_EDGE_POINTS:
                return None if normal(cell.text) in labels else _Found(cell, cell.text, _BELOW)
    return None


def _continued(lines: list[Line], found: _Found, labels: dict[str, str]) -> str:
    """An address may go on below, at the same left edge, with nothing before it on its lines."""
    text, last = found.text, found.cell
    for line in lines:
        cell = line[0]
        gap = cell.middle - last.middle
        if cell.page != last.page or not 0 < gap <= _NEXT_LINE_HEIGHTS * last.height:
            continue
        if len(line) > 1 or abs(cell.box[0] - last.box[0]) > _SAME_EDGE_POINTS or ":" in cell.text:
            break
        if normal(cell.text) in labels:
            break
        text, last = f"{text}, {cell.text}", cell
    return text


def _read(kind: KindOf, candidates: _Candidates, order: str) -> tuple[list[dict[str, Any]], list[str]]:
    """One value for each field (the surest, then the first) and the fields with contradicting ones."""
    best: dict[str, dict[str, Any]] = {}
    seen: dict[str, set[str]] = {}
    for name, field_of in kind.fields.items():
        for found in candidates.by_field.get(name, []):
            for target, value in _values(name, field_of, found, order):
                if found.confidence > _RUN_ON:
                    seen.setdefault(target, set()).add(value["value"].casefold())
                if target not in best or value["confidence"] > best[target]["confidence"]:
                    best[target] = value
    for name, field_of in kind.fields.items():
        if field_of.from_amounts and name not in best:
            carrier = next((value for value in best.values() if value["currency"]), None)
            if carrier:
                best[name] = carrier | {
                    "name": name, "value": carrier["currency"], "currency": None,
                    "confidence": round(carrier["confidence"] * 0.97, 2),
                }  # fmt: skip
    conflicts = sorted(name for name, distinct in seen.items() if len(distinct) > 1)
    return [best[name] for name in kind.fields if name in best], conflicts


def _values(name: str, field_of: FieldOf, found: _Found, order: str) -> list[tuple[str, dict[str, Any]]]:
    reads: list[tuple[str, values.Read | None]] = []
    if field_of.type == "date_range":
        pair = values.read_range(found.text, order)
        reads = list(zip(field_of.into, pair, strict=True)) if pair else []
    else:
        reads = [(name, values.read_as(field_of.type, found.text, order))]
    return [
        (
            target,
            {
                "name": target, "value": read.value, "raw": found.text[:300], "page": found.cell.page,
                "box": found.cell.box, "method": _METHOD, "currency": read.currency, "ambiguous": read.ambiguous,
                "confidence": round(found.confidence * _trust(read), 2),
            },
        )
        for target, read in reads
        if read is not None
    ]  # fmt: skip


def _trust(read: values.Read) -> float:
    return (0.6 if read.ambiguous else 1.0) * (1.0 if read.certain else 0.8)


def _movements(lines: list[Line], order: str) -> dict[str, Any] | None:
    """Rows of date, text and one amount. A row with two amounts may end in a running balance: then nothing is said."""
    amounts: list[str] = []
    for line in lines:
        if len(line) < 3 or values.read_date(line[0].text, order) is None:
            continue
        last = values.read_amount(line[-1].text)
        if last is None or "." not in line[-1].text.replace(",", "."):
            continue
        if any(values.read_amount(cell.text) for cell in line[1:-1]) or len(amounts) >= _MOVEMENTS_MAX:
            return None
        amounts.append(last.value)
    return {"count": len(amounts), "sum": values.total(amounts)} if amounts else None
