"""One value for each field: read by its type, weighed by how it was found, and by what contradicts it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecosystem.services.creditx.reading.answers import place_of_answer
from ecosystem.services.creditx.reading.finding import Found, Sheet
from ecosystem.services.creditx.reading.kinds import FieldOf, lexicon
from ecosystem.services.creditx.reading.labels import folded
from ecosystem.services.creditx.reading.layout import Box, Cell, Method, union
from ecosystem.services.creditx.reading.typed import STRICT, Habits, read_as, read_range
from ecosystem.services.creditx.reading.values import Read

_RAW_CHARACTERS_MAX = 300
_WAYS = {
    "colon": 0.98, "beside": 0.98, "below": 0.96, "run_on": 0.93, "sentence": 0.88, "block": 0.72, "head": 0.66,
}  # fmt: skip
_RUN_ON_LOOSE = 0.7
_WEAK = 0.75
_RANK = 0.002
_AGAINST_HABIT = 0.25
"""Of a text that stands where this document does not set its values."""
_CONTRADICTED = 0.5
_OCR_MARGIN = 0.06
PROVED = 0.99


@dataclass
class Value:
    """A value with its place; `order_proof` weighs an ambiguous date by who decided its order."""

    name: str
    read: Read
    raw: str
    page: int
    box: Box
    confidence: float
    method: str
    way: str = ""
    score: float = 0.0
    label: int = 0
    rank: int = 0
    form: str = ""
    cells: tuple[Cell, ...] = ()

    def as_json(self, part: int) -> dict[str, Any]:
        return {
            "name": self.name, "value": self.read.value, "raw": self.raw[:_RAW_CHARACTERS_MAX], "page": self.page,
            "box": list(self.box), "confidence": round(max(0.01, min(self.confidence, 1.0)), 2), "method": self.method,
            "currency": self.read.currency, "ambiguous": self.read.ambiguous, "part": part,
        }  # fmt: skip


def choose(
    sheet: Sheet, candidates: Mapping[str, list[Found]], habits: Habits, method: Method, *, order_proof: float
) -> tuple[dict[str, Value], dict[str, list[Value]]]:
    """The best value by field, and all that stand at labels of their own, best first."""
    below = _set_below(sheet, candidates, habits)
    every: dict[str, list[Value]] = {}
    for name, field_of in sheet.kind.fields.items():
        for found in candidates.get(name, []):
            for value in _values(name, field_of, found, habits, method, order_proof):
                if field_of.type not in STRICT and found.way in ("beside", "below") and (found.way == "below") != below:
                    value.score -= _AGAINST_HABIT
                    value.confidence *= 1 - _AGAINST_HABIT
                every.setdefault(value.name, []).append(value)
    for values in every.values():
        values.sort(key=lambda value: -value.score)
    _leave_shared(every)
    return {name: every[name][0] for name in sheet.kind.fields if every.get(name)}, every


def _set_below(sheet: Sheet, candidates: Mapping[str, list[Found]], habits: Habits) -> bool:
    """Whether this document sets values below their labels, as those show that can be told by their form."""
    votes = 0
    for name, field_of in sheet.kind.fields.items():
        if field_of.type in STRICT:
            ways = {found.way for found in candidates.get(name, ()) if read_as(field_of.type, found.text, habits)}
            votes += ("below" in ways) - ("beside" in ways or "colon" in ways)
    return votes > 0


def _leave_shared(every: dict[str, list[Value]]) -> None:
    """A text stands for one field: where a label means two, the one without another text keeps it."""
    for name, values in every.items():
        for other, others in every.items():
            if name == other or not values or not others:
                continue
            if (
                values[0].label == others[0].label
                and values[0].box == others[0].box
                and values[0].rank > others[0].rank
            ):
                values[:] = values[1:]


def _values(
    name: str, field_of: FieldOf, found: Found, habits: Habits, method: Method, order_proof: float
) -> list[Value]:
    text = found.text
    if field_of.type == "date_range":
        pair = read_range(text, habits)
        reads = list(zip(field_of.into, pair, strict=True)) if pair else []
    else:
        read = read_as(field_of.type, text, habits)
        reads = [(name, read)] if read else []
    return [
        _value(target, field_of, read, found, method, order_proof)
        for target, read in reads
    ]  # fmt: skip


def _value(name: str, field_of: FieldOf, read: Read, found: Found, method: Method, order_proof: float) -> Value:
    strict = field_of.type in STRICT or field_of.type == "date_range"
    base = _WAYS[found.way] if strict or found.way != "run_on" else _RUN_ON_LOOSE
    trust = base * (order_proof if read.ambiguous else 1.0) * (1.0 if read.certain else 0.8)
    trust *= (0.95 if read.partial else 1.0) * (1.0 if found.exact else 0.93)
    if method == "ocr":
        trust = _after_ocr(trust, read, found.sure)
    elif read.proved and found.exact:
        trust = max(trust, 0.99 if read.certain else trust)
    score = trust - _RANK * min(found.rank, 20)
    cells = tuple(found.cells)
    if field_of.type == "yes_no" and (span := place_of_answer(cells[0].text, read.value)):
        cells = (cells[0].part(*span),)
    return Value(
        name, read, found.text, cells[0].page, union(cell.box for cell in cells), trust, method, found.way, score,
        id(found.label), found.rank, found.form, cells,
    )  # fmt: skip


def _after_ocr(trust: float, read: Read, sure: float) -> float:
    """What the value itself proves stands above what OCR thinks of its letters."""
    if read.proved and read.certain:
        return min(trust, 0.97) if read.repaired else trust
    return trust * sure * (0.85 if read.repaired else 1.0) - _OCR_MARGIN


def conflicts_in(
    every: Mapping[str, list[Value]], best: Mapping[str, Value], candidates: Mapping[str, list[Found]]
) -> list[str]:
    """Fields that stand at two labels with different values, both of them sure; their best value is doubted."""
    generic = lexicon().generic
    found = []
    for name, values in every.items():
        beside = {id(text.label) for text in candidates.get(name, ()) if text.way == "beside"}
        at_labels: dict[int, Value] = {}
        for value in values:
            # What stands below a label that has a text beside it may belong to that text's neighbour.
            told = value.way in ("colon", "beside") or (value.way == "below" and value.label not in beside)
            if told and value.confidence > _WEAK and value.form and value.form not in generic:
                at_labels.setdefault(value.label, value)
        if len({folded(value.read.value) for value in at_labels.values()}) > 1:
            found.append(name)
            if name in best:
                best[name].confidence = min(best[name].confidence, _CONTRADICTED)
    return sorted(found)
