"""A zone from its elements: each repaired and proved, the lines as they should read, the value of each element."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ecosystem.services.creditx.reading.mrz import states
from ecosystem.services.creditx.reading.mrz.arranging import Arrangement
from ecosystem.services.creditx.reading.mrz.characters import FILLER, LIKE_FILLER, changes, digit_for
from ecosystem.services.creditx.reading.mrz.fitting import sex_of
from ecosystem.services.creditx.reading.mrz.formats import TD1, Format, Place
from ecosystem.services.creditx.reading.mrz.formats import Name as FormatName
from ecosystem.services.creditx.reading.mrz.lines import Box, Row
from ecosystem.services.creditx.reading.mrz.names import Names, names_of
from ecosystem.services.creditx.reading.mrz.proving import Proved, prove_composite, prove_date, prove_number

_CHECK_NAMES = {"optional": "personal_number"}
_SAME = re.compile(r"(?:K{3,}|X{3,}|C{3,}|L{3,})$")
_OPTIONAL = ("optional", "optional_2")
_CUT_OFF_MIN, _PROOFS_ALONE = 2, 3


@dataclass(frozen=True)
class MachineReadableZone:
    """A zone after repair.

    `lines` have the format's length; one that was not read is empty. `checks`: each check digit by name, true where it
    agrees after repair. `doubts` names the checks that agree only after a repair that the element's type did not force:
    they may as well be forgeries; on lines that end too early also those that cannot be told, which `checks` does not
    have. `truncated` are these lines (from 1): they are as short in `lines`. `repaired` counts the characters that were
    changed, added or removed. `exact`: from a text layer.
    """

    format: FormatName
    kind: str
    page: int
    box: Box
    lines: tuple[str, ...]
    line_boxes: tuple[Box, ...]
    checks: dict[str, bool]
    doubts: tuple[str, ...]
    repaired: int
    confidence: float
    exact: bool
    names: Names
    proofs: dict[str, Proved]
    document_number: str
    raw_sex: str
    number_guessed: bool
    truncated: tuple[int, ...]

    def as_reading(self) -> dict[str, object]:
        """`{"page", "box", "format", "lines", "checks", "doubts", "repaired", "truncated"}`, for the sealed reading."""
        return {
            "page": self.page, "box": list(self.box), "format": self.format, "lines": list(self.lines),
            "checks": dict(self.checks), "doubts": list(self.doubts), "repaired": self.repaired,
            "truncated": list(self.truncated),
        }  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """A zone, the rows it was read from, and how much better it is than others: proofs less costs."""

    zone: MachineReadableZone
    rows: tuple[int, ...]
    score: float


def build(arranged: Arrangement) -> Reading | None:
    """The zone that these elements make, or None where too little speaks for there being one."""
    format_, raw, rows = arranged.format, arranged.elements, arranged.rows
    exact, lost = all(row.exact for row in rows), not raw["names"]
    names_length = format_.places["names"].end - format_.places["names"].start
    names = names_of(raw["names"], names_length, exact=exact)
    if not lost and (not names.surname or _mostly_digits(raw["names"])):
        return None
    proofs, number, optional = _proofs(format_, raw, exact=exact)
    text = (raw if exact else _unproved(raw, names.written(names_length))) | optional
    for name, proof in proofs.items():
        text |= {name: proof.text, f"{name}_check": proof.digit}
    text, composite = _with_composite(format_, text, raw, exact=exact)
    if composite:
        proofs["composite"] = composite
        text["composite_check"] = composite.digit
    checks = {_CHECK_NAMES.get(name, name): proof.right for name, proof in proofs.items()}
    doubts = tuple(_CHECK_NAMES.get(name, name) for name, proof in proofs.items() if proof.doubted)
    rights = sum(checks[name] for name in ("document_number", "birth_date", "expiry_date"))
    cost = arranged.cost + 0.25 * min(names.repaired, 4) + (0 if lost or FILLER in raw["names"] else 2)
    truncated = _truncated(arranged, proofs, exact=exact)
    if lost and not (
        rights == _PROOFS_ALONE if truncated and exact else all(checks.values()) and composite and not doubts
    ):
        return None
    if not (rights >= 2 or (rights == 1 and cost <= 4) or cost <= 1.5):
        return None
    repaired = names.repaired + sum(proof.repaired for proof in proofs.values())
    repaired += sum(changes(raw[name], text[name]) for name in ("code", "issuing_state", "nationality", "sex"))
    lost_line = format_.places["names"].line if lost else None
    score = 3.0 * rights + 1.5 * sum(checks.values()) - cost - 1.5 * len(doubts)
    score -= 0.3 * (repaired - names.repaired)
    if truncated & _lines_with_ends(format_):
        untold = [name for name in ("personal_number", "composite") if name in checks]
        checks = {name: right for name, right in checks.items() if name not in untold}
        doubts = tuple(dict.fromkeys([*doubts, *untold]))
    if format_.places["names"].line in truncated:
        names = replace(names, truncated=True)
    lines = list(_lines(format_, text))
    for at in truncated:
        lines[at] = _as_short(format_, at, lines[at], arranged.short[at])
    zone = MachineReadableZone(
        format=format_.name, kind=_kind(format_, text["code"]), page=rows[0].page, box=_union(rows),
        lines=tuple("" if at == lost_line else line for at, line in enumerate(lines)),
        line_boxes=tuple(row.box for row in rows), checks=checks, doubts=doubts, repaired=repaired,
        confidence=min(row.confidence for row in rows), exact=exact, names=names, proofs=proofs,
        document_number=number or text["document_number"].rstrip(FILLER), raw_sex=raw["sex"],
        number_guessed=arranged.guessed, truncated=tuple(line + 1 for line in sorted(truncated)),
    )  # fmt: skip
    return Reading(zone, arranged.numbers, score)


def _truncated(arranged: Arrangement, proofs: Mapping[str, Proved], *, exact: bool) -> set[int]:
    """The lines (from 0) that end before their last character.

    OCR loses fillers within a line too: one that it read is cut off where it is shorter by some characters, does not
    end in fillers, and no composite check digit says that all is there.
    """
    format_, found = arranged.format, set()
    whole = "composite" in proofs and proofs["composite"].right
    for line, text in arranged.short.items():
        proved = whole and any(place.line == line for place in format_.composite)
        ends = text[-1] == FILLER or text[-1] in LIKE_FILLER
        if exact or (not proved and len(text) <= format_.length - _CUT_OFF_MIN and not ends):
            found.add(line)
    return found


def _lines_with_ends(format_: Format) -> set[int]:
    """Those that a check digit of more than one element ends."""
    return {format_.places[name].line for name in ("composite_check", "optional_check") if name in format_.places}


def _as_short(format_: Format, at: int, fitted: str, read: str) -> str:
    """The line as far as it was read: what stands where the optional data should be, as it stands."""
    optional = [place.start for name, place in format_.places.items() if name in _OPTIONAL and place.line == at]
    return fitted[: optional[0]] + read[optional[0] :] if optional else fitted[: len(read)]


def _unproved(raw: dict[str, str], names: str) -> dict[str, str]:
    """The elements that no check digit covers."""
    nationality = states.repaired(raw["nationality"], raw["issuing_state"].rstrip(FILLER))
    second = raw["code"][1:]
    return {
        "code": raw["code"][:1] + (FILLER if second in LIKE_FILLER - {"C"} else second),
        "issuing_state": raw["issuing_state"], "names": names, "sex": sex_of(raw["sex"]),
        "nationality": (nationality or raw["nationality"]).ljust(3, FILLER),
    }  # fmt: skip


def _proofs(
    format_: Format, raw: dict[str, str], *, exact: bool
) -> tuple[dict[str, Proved], str | None, dict[str, str]]:
    """The elements with check digits; the document number where it is longer than its place; optional data."""
    optional: dict[str, str] = {
        name: raw[name] if exact else _fillers(raw[name]) for name in _OPTIONAL if name in format_.places
    }
    proofs = {
        "document_number": prove_number(raw["document_number"], raw["document_number_check"], exact=exact),
        "birth_date": prove_date(raw["birth_date"], raw["birth_date_check"], exact=exact),
        "expiry_date": prove_date(raw["expiry_date"], raw["expiry_date_check"], exact=exact),
    }
    if "optional_check" in format_.places:
        personal = optional.pop("optional")
        proofs["optional"] = prove_number(personal, raw["optional_check"], exact=exact, empty_allowed=True)
    rest = _rest_of_number(format_, raw, optional.get("optional", ""))
    if not rest:
        return proofs, None, optional
    whole = prove_number(raw["document_number"] + rest[:-1], rest[-1], exact=exact)
    proofs["document_number"] = replace(whole, text=whole.text[:9], digit=FILLER)
    optional["optional"] = whole.text[9:] + whole.digit + optional["optional"][len(rest) :]
    return proofs, whole.text.rstrip(FILLER), optional


def _rest_of_number(format_: Format, raw: dict[str, str], optional: str) -> str:
    """A number of more than nine characters goes on in the optional data: the rest, its check digit and a filler
    (Doc 9303-5 and 9303-6, 4.2, note on the document number); a filler stands where its check digit would be."""
    digit = raw["document_number_check"]
    if format_.name not in ("TD1", "TD2") or (digit != FILLER and digit not in LIKE_FILLER):
        return ""
    rest, filler, _ = optional.partition(FILLER)
    return rest if filler and len(rest) >= 2 and FILLER not in raw["document_number"] else ""


def _with_composite(
    format_: Format, text: dict[str, str], raw: dict[str, str], *, exact: bool
) -> tuple[dict[str, str], Proved | None]:
    """The composite check; optional data that no other digit covers is repaired where only one reading agrees."""
    if not format_.composite:
        return text, None

    def proof(candidate: dict[str, str]) -> Proved:
        lines = _lines(format_, candidate | {"composite_check": FILLER})
        covered = "".join(_at(lines, place) for place in format_.composite)
        return prove_composite(covered, raw["composite_check"], exact=exact)

    first = proof(text)
    if first.right or exact:
        return text, first
    fits = []
    for name in _OPTIONAL:
        if name in format_.places and f"{name}_check" not in format_.places:
            for other in _optional_likenesses(text[name]):
                candidate = text | {name: other}
                if proof(candidate).right:
                    fits.append((candidate, changes(text[name], other)))
    if len(fits) == 1:
        candidate, repaired = fits[0]
        return candidate, Proved("", first.digit, True, first.repaired + repaired, doubted=True)
    return text, first


def _optional_likenesses(text: str) -> set[str]:
    found = {
        text[:at] + digit + text[at + 1 :] for at, char in enumerate(text) if (digit := digit_for(char)) is not None
    }
    body = text.rstrip(FILLER)
    if body and body[-1] in LIKE_FILLER:
        found.add(body[:-1].ljust(len(text), FILLER))
    return found - {text}


def _fillers(text: str) -> str:
    """Optional data in which letters that look like fillers stand between fillers, or at the end, become fillers."""
    if same := _SAME.search(text):
        text = text[: same.start()].ljust(len(text), FILLER)
    chars = list(text)
    for at, char in enumerate(text):
        if char in LIKE_FILLER:
            before = chars[at - 1] if at else FILLER
            after = text[at + 1 :].lstrip("".join(LIKE_FILLER))
            if before == FILLER and (not after or after[0] == FILLER):
                chars[at] = FILLER
    return "".join(chars)


def _lines(format_: Format, text: dict[str, str]) -> tuple[str, ...]:
    lines = [[FILLER] * format_.length for _ in range(format_.lines)]
    for name, place in format_.places.items():
        width = place.end - place.start
        lines[place.line][place.start : place.end] = text[name][:width].ljust(width, FILLER)
    return tuple("".join(line) for line in lines)


def _at(lines: tuple[str, ...], place: Place) -> str:
    return lines[place.line][place.start : place.end]


def _mostly_digits(text: str) -> bool:
    marks = text.replace(FILLER, "")
    return 3 * sum(char.isdigit() for char in marks) > len(marks)


def _kind(format_: Format, code: str) -> str:
    if format_.name.startswith("MRV"):
        return "visa"
    return "passport" if format_ is not TD1 and code.startswith("P") else "identity_card"


def _union(rows: tuple[Row, ...]) -> Box:
    boxes = [row.box for row in rows]
    return (
        min(box[0] for box in boxes), min(box[1] for box in boxes), max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )  # fmt: skip
