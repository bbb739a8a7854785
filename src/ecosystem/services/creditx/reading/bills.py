"""Codes on a page and the values in them, joined with what is printed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ecosystem.services.creditx.reading.choosing import PROVED, Value
from ecosystem.services.creditx.reading.codes import meaning_of, values_of_code
from ecosystem.services.creditx.reading.kinds import KindOf
from ecosystem.services.creditx.reading.labels import folded
from ecosystem.services.creditx.reading.values import Read

_CODES_MAX = 100
_BILLS = ("swiss_qr_bill", "epc")
_DOUBT = 0.6


def codes_of(page_text: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """`{"symbology", "text", "page", "box", "meaning", "fields"}` of each code that was found on a page."""
    found = []
    for code in (page_text or {}).get("barcodes", ())[:_CODES_MAX]:
        read = meaning_of(code["text"])
        found.append(
            {"symbology": code["symbology"], "text": code["text"], "page": int((page_text or {})["page"]),
             "box": list(code["box"]), "meaning": read.meaning, "fields": dict(read.fields)}
        )  # fmt: skip
    return found


def is_bill(codes: Sequence[Mapping[str, Any]]) -> bool:
    return any(code["meaning"] in _BILLS and code["fields"] for code in codes)


def join(codes: Sequence[Mapping[str, Any]], kind: KindOf, best: dict[str, Value]) -> list[str]:
    """Take the codes' values into `best`; the answer names fields where print surely says otherwise.

    A code corrects its own errors: it is believed before OCR. A text layer is believed before the code, because it is
    what a person sees.
    """
    against = []
    for code in codes:
        box = tuple(code["box"])
        meant = meaning_of(code["text"])
        for value in values_of_code(meant, text=code["text"], page=code["page"], box=(box[0], box[1], box[2], box[3])):
            if value["name"] not in kind.fields:
                continue
            ours = Value(
                value["name"], Read(value["value"], currency=value["currency"]), value["raw"], value["page"],
                value["box"], value["confidence"], "barcode",
            )  # fmt: skip
            printed = best.get(ours.name)
            if printed is None:
                best[ours.name] = ours
            elif folded(printed.read.value) == folded(ours.read.value):
                best[ours.name] = replace(printed, confidence=max(printed.confidence, PROVED))
            elif ours.name != "issuer" and printed.method == "ocr":
                best[ours.name] = ours
            elif ours.name != "issuer":
                against.append(ours.name)
                best[ours.name] = replace(printed, confidence=min(printed.confidence, _DOUBT))
    return against
