"""Makes specimens: one by kind and fault, the ten of the demonstration, or one of everything."""

import random
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from specimens.kinds import MAKERS, Brief
from specimens.model import CONSEQUENCES, KINDS_OF_FAULT, REFUSED, Draft, Fault, Kind, Outcome, Specimen, Truth
from specimens.page import Layout, as_pdf, as_picture
from specimens.people import World
from specimens.writing import Hand

_KNOWN = tuple(kind for kind in Kind if kind is not Kind.UNKNOWN)
_PASSWORD = "specimen"  # noqa: S105 opens a document that holds nothing


class FaultDoesNotFit(ValueError):
    """This fault cannot be planted in a document of this kind."""


def make(
    kind: Kind,
    *,
    seed: int,
    as_of: date,
    fault: Fault | None = None,
    locale: str | None = None,
    layout: Layout | None = None,
) -> Specimen:
    """One document of a kind, with one fault or none.

    `locale` (`en_GB`, `en_US`) allows numeric dates, written as is usual there; without it dates are unambiguous.
    The same arguments give the same bytes.

    Raises:
        FaultDoesNotFit: the fault belongs to other kinds.
    """
    if fault is not None and kind not in KINDS_OF_FAULT.get(fault, tuple(Kind)):
        fitting = ", ".join(KINDS_OF_FAULT[fault])
        raise FaultDoesNotFit(f"{fault} cannot be planted in {kind}; it fits: {fitting}.")
    if kind is Kind.UNKNOWN and fault is None:
        fault = Fault.UNKNOWN_KIND
    rng = random.Random(f"{seed}/{kind}/{fault}")  # noqa: S311 a seed is wanted
    draft = MAKERS[kind](Brief(rng, World(rng), Hand.of(rng, locale), as_of, fault))
    content = _set(draft, rng, layout or rng.choice(list(Layout)), fault)
    name = "-".join(filter(None, (kind.value, fault.value if fault else "", str(seed)))) + ".pdf"
    return Specimen(name, content, _truth(draft, fault), seed, as_of)


def _set(draft: Draft, rng: random.Random, layout: Layout, fault: Fault | None) -> bytes:
    match fault:
        case Fault.ZERO_BYTES:
            return b""
        case Fault.RENAMED_EXECUTABLE:
            # The head of an ELF file for x86-64 with noise behind it: nothing that could run.
            return b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00" + rng.randbytes(4000)
        case Fault.PAGE_WITHOUT_TEXT:
            return as_picture(draft)
        case Fault.ENCRYPTED:
            return as_pdf(draft, rng, layout, password=_PASSWORD)
        case Fault.JAVASCRIPT:
            return as_pdf(draft, rng, layout, script="app.alert('specimen');")
        case Fault.TRUNCATED:
            whole = as_pdf(draft, rng, layout)
            return whole[: int(len(whole) * rng.uniform(0.4, 0.8))]
        case _:
            return as_pdf(draft, rng, layout)


def _truth(draft: Draft, fault: Fault | None) -> Truth:
    if fault is None:
        return Truth(draft.kind, draft.fields, Outcome.APPROVED)
    then = CONSEQUENCES[fault]
    readable = fault is not Fault.PAGE_WITHOUT_TEXT and then.outcome is not Outcome.REFUSED
    return Truth(
        draft.kind if readable else Kind.UNKNOWN,
        draft.fields if readable else {},
        then.outcome,
        then.failing_rules,
        fault,
        then.refusal_rule,
    )


def demonstration(seed: int, as_of: date, locale: str | None = None) -> list[Specimen]:
    """Ten documents: one good of each kind, two that are rejected, two for review, and one file that is refused."""
    rng = random.Random(f"{seed}/demonstration")  # noqa: S311
    plan: list[tuple[Kind, Fault | None]] = [(kind, None) for kind in _KNOWN]
    plan += [
        (Kind.BANK_STATEMENT, rng.choice((Fault.WRONG_IBAN_CHECK_DIGITS, Fault.BALANCE_DOES_NOT_FOLLOW))),
        (Kind.PROOF_OF_ADDRESS, Fault.OLD_PROOF_OF_ADDRESS),
        rng.choice((
            (Kind.KYC_QUESTIONNAIRE, Fault.PEP_DECLARED),
            (Kind.INVOICE, Fault.DUE_BEFORE_INVOICE),
            (Kind.INVOICE, Fault.MISSING_VALUE),
        )),
        (rng.choice(_KNOWN), Fault.PAGE_WITHOUT_TEXT),
        (rng.choice(_KNOWN), rng.choice(REFUSED)),
    ]  # fmt: skip
    return [make(kind, seed=seed, as_of=as_of, fault=fault, locale=locale) for kind, fault in plan]


def everything(seed: int, as_of: date, locale: str | None = None) -> list[Specimen]:
    """A good document of each kind, and each fault in each kind that it fits (files that are refused: one kind)."""
    plan: list[tuple[Kind, Fault | None]] = [(kind, None) for kind in _KNOWN]
    for fault in Fault:
        plan += [(kind, fault) for kind in KINDS_OF_FAULT.get(fault, (Kind.BANK_STATEMENT,))]
    return [make(kind, seed=seed, as_of=as_of, fault=fault, locale=locale) for kind, fault in plan]


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
