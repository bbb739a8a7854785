"""From a reading to what rules are told: the facts, JSON-ready, kept sealed beside the judgement they led to.

Dates are days since 1970-01-01, amounts ten-thousandths: subtraction and equality are exact, where CEL's doubles are
not. `INPUTS_VERSION` is of this form; what was kept stays readable.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from ecosystem.services.creditx.judging.customer import Companion, customer_facts
from ecosystem.services.creditx.reading.kinds import kind_of
from ecosystem.services.creditx.reading.values import iban_check_digits_right

INPUTS_VERSION = 1
SCREENING = "not_available"
"""Lists of sanctions are not screened on this platform yet: rules name that, they do not pass over it."""
_THIS_FILE = "this file, part"
_SCALE = 10_000
_MISSING_PAGES_MAX = 50
_INT64 = 2**63
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def inputs_of(reading: Mapping[str, Any], as_of: date, companions: Iterable[Companion] | None = None) -> dict[str, Any]:
    """`{"version", "as_of", "parts": [{"facts", "words"}…]}`: all that a judgement is computed from, beside its rules.

    `reading` is the answer of `reading.extraction.extract`, of version 1 or 2. `companions` are the other documents of
    the same customer; None where the document belongs to no customer.
    """
    others = None if companions is None else [*companions, *_siblings(reading)]
    parts = [_part(reading, part, as_of, others) for part in parts_of(reading)]
    return {"version": INPUTS_VERSION, "as_of": as_of.isoformat(), "parts": parts}


def parts_of(reading: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The documents in one file; a reading of version 1 is one."""
    whole = {
        "part": 1, "kind": reading["kind"], "kind_confidence": reading["kind_confidence"],
        "conflicts": reading["conflicts"], "movements": reading.get("movements"),
    }  # fmt: skip
    return [whole | dict(part) for part in reading.get("parts") or [{}]]


def _siblings(reading: Mapping[str, Any]) -> list[Companion]:
    """The documents of one file belong to one customer too."""
    parts = parts_of(reading) if len(reading.get("parts") or []) > 1 else []
    return [
        Companion(
            f"{_THIS_FILE} {part['part']}", part["kind"],
            {name: value["value"] for name, value in values_of(reading, part["part"]).items()}, on_file=True,
        )
        for part in parts
    ]  # fmt: skip


def values_of(reading: Mapping[str, Any], part: int) -> dict[str, dict[str, Any]]:
    """By name; where one stands twice, the first."""
    found: dict[str, dict[str, Any]] = {}
    for value in reading["values"]:
        if value.get("part", 1) == part:
            found.setdefault(value["name"], value)
    return found


def _part(
    reading: Mapping[str, Any], part: Mapping[str, Any], as_of: date, others: list[Companion] | None
) -> dict[str, Any]:
    read = values_of(reading, part["part"])
    texts = {name: value["value"] for name, value in read.items()}
    kind = kind_of(part["kind"])
    types = {name: field.type for name, field in kind.fields.items()} if kind else _types_by_name(texts)
    required = list(kind.required) if kind else []
    movements = part.get("movements") or {"count": 0, "sum": "0"}
    total = _scaled(movements["sum"])
    dates = {name: _day(text) for name, text in texts.items() if types.get(name) == "date"}
    amounts = {name: _scaled(text) for name, text in texts.items() if types.get(name) == "amount"}
    facts = {
        "kind": part["kind"], "kind_confidence": float(part["kind_confidence"]), "part": part["part"],
        "parts": [{"part": one["part"], "kind": one["kind"]} for one in parts_of(reading)],
        "characters": reading["characters"], "pages": reading["pages"],
        "pages_without_text": reading["pages_without_text"], "page_confidences": _page_confidences(reading),
        "values": texts,
        "confidences": {name: float(value["confidence"]) for name, value in read.items()},
        "ambiguous": [name for name, value in read.items() if value.get("ambiguous")],
        "dates": {name: day for name, day in dates.items() if day is not None},
        "today": as_of.toordinal() - _EPOCH_DAY,
        "amounts": {name: amount for name, amount in amounts.items() if amount is not None},
        "movements": {"count": movements["count"] if total is not None else 0, "sum": total or 0},
        "ibans": {name: iban_check_digits_right(text) for name, text in texts.items() if types.get(name) == "iban"},
        "required": required,
        "missing": list(part["missing"]) if "missing" in part else [name for name in required if name not in texts],
        "missing_pages": _missing_pages(part), "conflicts": list(part["conflicts"]),
        "mrz": [_mrz(one) for one in reading.get("mrz", []) if one["part"] == part["part"]],
        "signs": [
            {"sign": one["sign"], "page": one.get("page") or 0}
            for one in reading.get("signs", []) if one.get("part", 1) in (part["part"], None)
        ],
        "customer": customer_facts(part["kind"], texts, _beside(part["part"], others)), "screening": SCREENING,
    }  # fmt: skip
    return {"facts": facts, "words": _words(read.values(), movements["sum"], as_of)}


def _beside(part: int, others: list[Companion] | None) -> list[Companion] | None:
    if others is None:
        return None
    return [other for other in others if other.document_id != f"{_THIS_FILE} {part}"]


def _types_by_name(names: Iterable[str]) -> dict[str, str]:
    """For a kind that is not declared here (any more): its dates can be told by their names."""
    return {name: "date" for name in names if name.endswith("_date")}


def _mrz(found: Mapping[str, Any]) -> dict[str, Any]:
    """Without the lines themselves: rules look at what was made of them."""
    return {
        "format": found["format"], "checks": dict(found["checks"]),
        "doubts": list(found.get("doubts", ())), "repaired": found.get("repaired", 0),
        "against_print": dict(found.get("against_print", {})),
    }  # fmt: skip


def _missing_pages(part: Mapping[str, Any]) -> list[int]:
    """Numbers that "page 2 of 3" promises, of a document with fewer pages: a number may just not have been read."""
    numbering = part.get("page_numbering") or {}
    stated = numbering.get("stated")
    if stated is None or stated <= part["last_page"] - part["first_page"] + 1:
        return []
    return [number for number in range(1, stated + 1) if number not in numbering["present"]][:_MISSING_PAGES_MAX]


def _page_confidences(reading: Mapping[str, Any]) -> list[float]:
    """How surely each page was read: 1 for a text layer, what the OCR says, 0 where nothing could be read."""
    pages = reading.get("page_readings")
    if pages is None:
        read = reading["pages"] - reading["pages_without_text"]
        return [1.0] * read + [0.0] * reading["pages_without_text"]
    sure = {"text_layer": 1.0, "none": 0.0}
    return [sure.get(page["method"], float(page.get("confidence") or 0.0)) for page in pages]


def _words(values: Iterable[Mapping[str, Any]], movements: str, as_of: date) -> dict[str, str]:
    """What evidence may name: each value as read with the page it stands on."""
    words = {value["name"]: _with_page(value) for value in values}
    return words | {"today": as_of.isoformat(), "movements": movements}


def _with_page(value: Mapping[str, Any]) -> str:
    noted = ", numeric date read by the company's habit" if value.get("ambiguous") else ""
    currency = f" {value['currency']}" if value.get("currency") else ""
    return f"{value['value']}{currency} (page {value['page']}{noted})"


def _day(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH_DAY
    except ValueError:
        return None


def _scaled(text: str) -> int | None:
    """Ten-thousandths, exactly; None beyond four places or 64 bits."""
    try:
        scaled = Decimal(text) * _SCALE
        return int(scaled) if scaled == scaled.to_integral_value() and abs(scaled) < _INT64 // 4 else None
    except InvalidOperation:
        return None
