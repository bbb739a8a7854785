"""Identity papers: their machine-readable zone, and which of zone and print a value is taken from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ecosystem.services.creditx.reading.choosing import Value
from ecosystem.services.creditx.reading.dates import read_date
from ecosystem.services.creditx.reading.labels import distance_within
from ecosystem.services.creditx.reading.layout import Box, Cell, Line, union
from ecosystem.services.creditx.reading.mrz.building import MachineReadableZone
from ecosystem.services.creditx.reading.mrz.comparison import compare
from ecosystem.services.creditx.reading.mrz.lines import Line as ZoneLine
from ecosystem.services.creditx.reading.mrz.values import values_of
from ecosystem.services.creditx.reading.mrz.zones import find_mrz
from ecosystem.services.creditx.reading.values import Read

_NAMES = ("surname", "given_names")
_SURE, _AGREED, _AGREED_OCR, _MISREAD, _DOUBT = 0.9, 0.99, 0.95, 0.85, 0.6
_BY_ZONE, _GUESSED = 0.93, 0.75
_CELLS_MAX, _NAME_CHARACTERS_MAX = 200, 60
_FILLER = "<"


@dataclass(frozen=True)
class Zone:
    """A zone found on a page, with the cells of the page."""

    mrz: MachineReadableZone
    cells: tuple[Cell, ...]

    def shown(self, place: Box) -> Box:
        """Where a part of the zone stands on the page as shown."""
        boxes = []
        for cell in self.cells:
            if place[1] <= cell.middle <= place[3] and cell.left < place[2] and cell.right > place[0]:
                inside = [
                    position
                    for position, (left, right) in enumerate(zip(cell.lefts, cell.rights, strict=True))
                    if left < place[2] - 0.1 and right > place[0] + 0.1
                ]
                if inside:
                    boxes.append(cell.part(inside[0], inside[-1] + 1).box)
        return union(boxes) if boxes else place


def zone_on(lines: Sequence[Line]) -> Zone | None:
    """The first machine-readable zone of a page."""
    cells = tuple(cell for line in lines for cell in line)
    in_layer = all(cell.frame.method == "text_layer" for cell in cells)
    if in_layer and not any(_FILLER in cell.text for cell in cells):
        return None
    exact = in_layer and not any(cell.frame.hidden for cell in cells)
    found = find_mrz(ZoneLine(cell.text, cell.page, cell.place, cell.confidence, exact) for cell in cells)
    return Zone(found[0], cells) if found else None


def join(zone: Zone, best: dict[str, Value]) -> dict[str, Any]:
    """Take over what the zone proves into `best`; the answer is the zone as in a reading, with what print says."""
    values = {value["name"]: value for value in values_of(zone.mrz, today=datetime.now(UTC).date())}
    texts = {name: str(value["value"]) for name, value in values.items()}
    verdicts = compare(zone.mrz, texts, {name: value.read.value for name, value in best.items()})
    for name in _NAMES:
        if name in texts and verdicts[name] != "same" and (found := _printed(zone, name, texts)):
            best[name], verdicts[name] = found, "same"
    _issue_date(zone, best, texts)
    for name, value in values.items():
        ours = _value(zone, value)
        best[name] = _joined(name, ours, best[name], verdicts.get(name)) if name in best else ours
    reading = zone.mrz.as_reading()
    return reading | {"box": list(zone.shown(zone.mrz.box)), "against_print": dict(verdicts)}


def _printed(zone: Zone, name: str, texts: Mapping[str, str]) -> Value | None:
    """A name that no label led to: the only text on the page that the zone writes so."""
    found = [
        cell
        for cell in zone.cells[:_CELLS_MAX]
        if len(cell.text) <= _NAME_CHARACTERS_MAX
        and _FILLER not in cell.text
        and compare(zone.mrz, texts, {name: cell.text})[name] == "same"
    ]
    if len(found) != 1:
        return None
    cell = found[0]
    read, method = Read(" ".join(cell.text.split())), cell.frame.method
    sure = _BY_ZONE * cell.confidence if method == "ocr" else _AGREED
    return Value(name, read, cell.text, cell.page, cell.box, sure, method)


def _issue_date(zone: Zone, best: dict[str, Value], texts: Mapping[str, str]) -> None:
    """Without a label: the only date of the page that is neither that of birth nor the last day, between the two."""
    born, ends = texts.get("birth_date"), texts.get("expiry_date")
    if "issue_date" in best or not born or not ends:
        return
    read = [(cell, read_date(cell.text, "DMY")) for cell in zone.cells[:_CELLS_MAX]]
    others = [(cell, date) for cell, date in read if date and not date.partial and born < date.value < ends]
    if len({date.value for _, date in others}) == 1:
        cell, date = others[0]
        best["issue_date"] = Value(
            "issue_date", date, cell.text, cell.page, cell.box, _GUESSED * cell.confidence, cell.frame.method
        )


def _value(zone: Zone, value: Mapping[str, Any]) -> Value:
    return Value(
        value["name"], Read(value["value"]), value["raw"], value["page"], zone.shown(tuple(value["box"])),
        value["confidence"], "mrz",
    )  # fmt: skip


def _joined(name: str, zone: Value, printed: Value, verdict: str | None) -> Value:
    """Print that agrees is taken as printed (with its accents); else what is surer."""
    ocr = printed.method == "ocr"
    if verdict == "same":
        sure = _AGREED_OCR if ocr else _AGREED
        if name in _NAMES:
            # The zone knows no accents: where print has none either, OCR may have lost them.
            return replace(printed, confidence=max(printed.confidence, sure if not ocr else min(sure, zone.confidence)))
        return replace(zone, confidence=max(zone.confidence, sure))
    if name in _NAMES:
        shorter = replace(printed, confidence=min(printed.confidence, _DOUBT if ocr else printed.confidence))
        return shorter if not ocr or printed.confidence >= zone.confidence else zone
    if verdict == "different":
        # Both stand there exactly in a text layer: the print is what a person reads. OCR may have misread it.
        proved = ocr and zone.confidence >= min(_SURE, printed.confidence)
        near = distance_within(zone.read.value, printed.read.value, 1) is not None
        return replace(zone if proved else printed, confidence=_MISREAD if proved and near else _DOUBT)
    return zone if zone.confidence >= printed.confidence else printed
