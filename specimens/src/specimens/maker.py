"""Makes one specimen: a document, or several in one file, in a quality, with a fault or none."""

import random
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from specimens import composing
from specimens.composing import Order, Piece
from specimens.model import (
    CONSEQUENCES,
    IDENTITY,
    KINDS_OF_FAULT,
    PAPERS,
    REFUSED,
    TEXT_ONLY,
    Fault,
    Kind,
    Outcome,
    PageTruth,
    Part,
    Place,
    Quality,
    Specimen,
    TableTruth,
    Truth,
)
from specimens.qualities.delivery import Container, Delivery, deliver
from specimens.qualities.picture import Matrix, hull, turning
from specimens.setting.pen import Traits
from specimens.setting.style import Layout

_PASSWORD = "specimen"  # noqa: S105 opens a document that holds nothing


class FaultDoesNotFit(ValueError):
    """This fault cannot be planted in a document of this kind or quality."""


def make(
    kind: Kind,
    *,
    seed: int,
    as_of: date,
    fault: Fault | None = None,
    language: str = "en",
    quality: Quality = Quality.TEXT,
    rotated: int = 0,
    container: Container | None = None,
    locale: str | None = None,
    layout: Layout | None = None,
) -> Specimen:
    """One document of a kind, with one fault or none; the same arguments give the same bytes.

    `Kind.SEVERAL` is a file of two or three documents. `rotated` (0, 90, 180, 270) turns every page clockwise.
    `container` chooses the file format of a quality that is not text. `locale` (`en_GB`, `en_US`) is that of the
    company that will read it: English documents then come from there.

    Raises:
        FaultDoesNotFit: the fault belongs to other kinds, or leaves no trace in this quality.
    """
    _check(kind, fault, quality)
    if kind is Kind.UNKNOWN and fault is None:
        fault = Fault.UNKNOWN_KIND
    rng = random.Random(f"{seed}/{kind}/{fault}/{language}")  # noqa: S311 a seed is wanted
    if fault is Fault.UNREADABLE and quality is Quality.TEXT:
        quality = rng.choice((Quality.SCAN_200, Quality.PHOTO))
    stem = [kind.value, fault.value if fault else "", language if language != "en" else ""]
    stem += [quality.value if quality is not Quality.TEXT else "", f"r{rotated}" if rotated else "", str(seed)]
    name = "-".join(filter(None, stem))
    broken = _broken(fault, rng)
    if broken is not None:
        return Specimen(f"{name}.pdf", broken, _truth([], (), fault, language, quality), seed, as_of)
    kinds = rng.choice(_TOGETHER) if kind is Kind.SEVERAL else (kind,)
    text = quality is Quality.TEXT
    traits = Traits(
        password=_PASSWORD if fault is Fault.ENCRYPTED else None,
        script="app.alert('specimen');" if fault is Fault.JAVASCRIPT else None,
        rotated=rotated if text else 0,
    )
    pieces = [
        composing.compose(Order(one, language, as_of, fault, locale, layout, quality), rng, traits) for one in kinds
    ]
    pdf = composing.joined([piece.pages.pdf for piece in pieces], as_of)
    if text:
        content = pdf[: int(len(pdf) * rng.uniform(0.4, 0.8))] if fault is Fault.TRUNCATED else pdf
        truth = _truth(pieces, _text_views(pieces, rotated), fault, language, quality)
        return Specimen(f"{name}.pdf", content, truth, seed, as_of)
    delivery = deliver(
        pdf, quality, rng, as_of, rotated=rotated, container=container, unreadable=fault is Fault.UNREADABLE
    )
    truth = _truth(pieces, _image_views(delivery), fault, language, quality)
    ending = delivery.container
    return Specimen(f"{name}.{ending}", delivery.content, truth, seed, as_of, ending.media_type)


_TOGETHER = (
    (Kind.PROOF_OF_ADDRESS, Kind.KYC_QUESTIONNAIRE),
    (Kind.PASSPORT, Kind.PROOF_OF_ADDRESS),
    (Kind.CERTIFICATE_OF_INCORPORATION, Kind.REGISTER_EXTRACT),
    (Kind.IDENTITY_CARD, Kind.KYC_QUESTIONNAIRE, Kind.PROOF_OF_ADDRESS),
    (Kind.REGISTER_EXTRACT, Kind.TAX_FORM),
)


def _check(kind: Kind, fault: Fault | None, quality: Quality) -> None:
    if fault is None:
        return
    fitting = KINDS_OF_FAULT.get(fault, (*IDENTITY, *PAPERS, Kind.UNKNOWN))
    if kind not in fitting:
        raise FaultDoesNotFit(f"{fault} cannot be planted in {kind}; it fits: {', '.join(fitting)}.")
    if quality is not Quality.TEXT and fault in (*TEXT_ONLY, *REFUSED):
        raise FaultDoesNotFit(f"{fault} leaves no trace in the quality {quality}; it fits: {Quality.TEXT}.")


def _broken(fault: Fault | None, rng: random.Random) -> bytes | None:
    if fault is Fault.ZERO_BYTES:
        return b""
    if fault is Fault.RENAMED_EXECUTABLE:
        # The head of an ELF file for x86-64 with noise behind it: nothing that could run.
        return b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00" + rng.randbytes(4000)
    return None


_View = tuple[Matrix, PageTruth]
"""A page as delivered: the matrix from its points to the units of the file, and its size there."""


def _text_views(pieces: Sequence[Piece], rotated: int) -> list[_View]:
    views: list[_View] = []
    for width, height in (size for piece in pieces for size in piece.pages.sizes):
        shown = (height, width) if rotated in (90, 270) else (width, height)
        views.append((turning(rotated, width, height), PageTruth(len(views) + 1, *shown, rotated)))
    return views


def _image_views(delivery: Delivery) -> list[_View]:
    shown = zip(delivery.pictures, delivery.sizes, strict=True)
    return [
        (picture.matrix, PageTruth(number, *size, picture.rotated)) for number, (picture, size) in enumerate(shown, 1)
    ]


def _truth(
    pieces: Sequence[Piece], views: Sequence[_View], fault: Fault | None, language: str, quality: Quality
) -> Truth:
    then = CONSEQUENCES[fault] if fault else None
    unread = fault is Fault.UNREADABLE or (then is not None and then.outcome is Outcome.REFUSED)
    parts = () if unread else _parts(pieces, [matrix for matrix, _ in views])
    single = parts[0] if len(parts) == 1 else None
    several = Kind.SEVERAL if len(parts) > 1 else Kind.UNKNOWN
    return Truth(
        kind=single.kind if single else several,
        fields=single.fields if single else {},
        outcome=then.outcome if then else Outcome.APPROVED,
        failing_rules=then.failing_rules if then else (),
        fault=fault,
        refusal_rule=then.refusal_rule if then else None,
        language=language,
        country=pieces[0].country if pieces else "",
        quality=quality,
        pages=tuple(page for _, page in views),
        parts=parts,
    )


def _parts(pieces: Sequence[Piece], matrices: Sequence[Matrix]) -> tuple[Part, ...]:
    parts, before = [], 0
    for number, piece in enumerate(pieces, 1):
        places = {
            name: Place(place.page + before, hull(matrices[place.page + before - 1], place.box), place.text, number)
            for name, place in piece.pages.places.items()
        }
        tables = tuple(
            TableTruth(table.name, table.page + before, table.columns, table.rows, number) for table in piece.tables
        )
        last = before + len(piece.pages.sizes)
        parts.append(Part(piece.kind, before + 1, last, piece.fields, places, tables, piece.conflicts))
        before = last
    return tuple(parts)


def write(specimens: Iterable[Specimen], folder: Path) -> list[Path]:
    """Write each document with its truth beside it (`NAME.truth.json`); returns the documents' paths.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for specimen in specimens:
        path = folder / specimen.name
        path.write_bytes(specimen.content)
        (folder / specimen.truth_name).write_text(specimen.truth_text() + "\n", encoding="utf-8")
        paths.append(path)
    return paths
