"""From a kind to set pages with all that is true of them: one document of a file."""

import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import pypdf

from specimens import tampering
from specimens.draft import Brief, Draft
from specimens.identity.card import set_identity
from specimens.identity.document import STATES, identity
from specimens.kinds.bank_statement import bank_statement
from specimens.kinds.invoice import invoice
from specimens.kinds.papers import (
    certificate_of_incorporation,
    kyc_questionnaire,
    proof_of_address,
    register_extract,
    tax_form,
    unknown,
)
from specimens.model import IDENTITY, Fault, Kind, Quality, TableTruth
from specimens.setting.paper import Pages, set_paper
from specimens.setting.pen import HELVETICA, TIMES, VERA, Traits
from specimens.setting.style import Layout, Style
from specimens.world import World
from specimens.writing import Hand

_DRAFTS: dict[Kind, Callable[[Brief], Draft]] = {
    Kind.BANK_STATEMENT: bank_statement,
    Kind.PROOF_OF_ADDRESS: proof_of_address,
    Kind.CERTIFICATE_OF_INCORPORATION: certificate_of_incorporation,
    Kind.TAX_FORM: tax_form,
    Kind.INVOICE: invoice,
    Kind.KYC_QUESTIONNAIRE: kyc_questionnaire,
    Kind.REGISTER_EXTRACT: register_extract,
    Kind.UNKNOWN: unknown,
}
_COUNTRIES = {
    "en": ("GB", "IE", "US", "CH"),
    "fr": ("FR", "CH", "BE", "LU"),
    "de": ("DE", "CH", "AT", "LI"),
    "es": ("ES",),
}
_SOFTWARE = (
    ("Crystal Reports", "Powered By Crystal"),
    ("JasperReports Library 6.20", "OpenPDF 1.3"),
    ("Microsoft Word", "Microsoft: Print To PDF"),
    ("Form Composer 4", "Apache FOP Version 2.9"),
    ("Writer", "LibreOffice 24.2"),
    ("Core Banking Output", "iText 7.2"),
)
_DATED = ("statement_date", "issue_date", "invoice_date", "signature_date", "extract_date")
_WITH_ACCOUNT = (Kind.BANK_STATEMENT, Kind.INVOICE)
"""Kinds that print an IBAN, which nobody in the United States has."""


@dataclass(frozen=True)
class Order:
    """What is asked for. `locale` is the company's that will read it (`en_GB`, `en_US`); None: any country's habits."""

    kind: Kind
    language: str
    as_of: date
    fault: Fault | None = None
    locale: str | None = None
    layout: Layout | None = None
    quality: Quality = Quality.TEXT


@dataclass(frozen=True)
class Piece:
    """A document that is set. Places are points of its pages as they are before anyone turns or scans them."""

    kind: Kind
    country: str
    pages: Pages
    fields: dict[str, str]
    conflicts: tuple[str, ...] = ()
    tables: tuple[TableTruth, ...] = ()


def compose(order: Order, rng: random.Random, traits: Traits) -> Piece:
    country = rng.choice(_countries(order))
    hand = Hand.of(rng, order.language, country)
    brief = Brief(rng, World(rng, order.language, country), hand, order.as_of, order.fault)
    if order.kind in IDENTITY:
        return _identity(order, brief, traits)
    draft = _DRAFTS[order.kind](brief)
    style = Style.of(rng, order.layout)
    if order.fault is Fault.ALTERED_AMOUNT and style.fonts is VERA:
        style = replace(style, fonts=rng.choice((HELVETICA, TIMES)), size=10.0)
    if order.fault is Fault.MISSING_PAGE:
        draft.annex_pages, draft.lost_pages = 2, 1
    elif order.kind is not Kind.UNKNOWN and rng.random() < 0.12:
        draft.annex_pages = 1
    traits = replace(
        traits, created=_created(draft, order), author=draft.letterhead.name, software=rng.choice(_SOFTWARE)
    )
    pages = set_paper(draft, style, order.language, rng, traits)
    fields = dict(draft.fields)
    if order.fault is Fault.ALTERED_AMOUNT:
        pages = _altered(pages, fields, rng, style.fonts.plain, order.as_of)
    tables = tuple(replace(table, page=pages.table_page) for table in draft.tables)
    places = {name: place for name, place in pages.places.items() if name in fields}
    return Piece(order.kind, brief.world.alpha3, replace(pages, places=places), fields, tuple(draft.conflicts), tables)


def _created(draft: Draft, order: Order) -> date:
    """The day of the document, or today where it bears none or one to come."""
    days = [date.fromisoformat(draft.fields[name]) for name in _DATED if name in draft.fields]
    return min([*days, order.as_of])


def _countries(order: Order) -> Sequence[str]:
    if order.language == "en" and order.locale is not None:
        if order.locale != "en_US":
            return ("GB", "IE")
        return ("CH",) if order.kind in _WITH_ACCOUNT else ("US",)
    countries = _COUNTRIES[order.language]
    return [one for one in countries if one != "US" or order.kind not in _WITH_ACCOUNT]


def _identity(order: Order, brief: Brief, traits: Traits) -> Piece:
    rng = brief.rng
    traits = replace(traits, created=order.as_of, software=rng.choice(_SOFTWARE))
    paper = identity(order.kind, brief, rng.choice(STATES[order.language]))
    # People photograph the document itself; what goes through a fax is a copy.
    sheet = rng.random() < {Quality.PHOTO: 0.25, Quality.FAX: 1.0}.get(order.quality, 0.55)
    drawn = order.quality is not Quality.TEXT and rng.random() < 0.75
    pages = set_identity(paper, order.language, rng, sheet=sheet, drawn_zone=drawn, traits=traits)
    return Piece(order.kind, paper.state, pages, dict(paper.fields))


def joined(pdfs: Sequence[bytes], day: date) -> bytes:
    """One file of several, put together on `day`."""
    if len(pdfs) == 1:
        return pdfs[0]
    writer, buffer = pypdf.PdfWriter(), io.BytesIO()
    for pdf in pdfs:
        for page in pypdf.PdfReader(io.BytesIO(pdf)).pages:
            writer.add_page(page)
    stamp = f"D:{day:%Y%m%d}100000+00'00'"
    writer.add_metadata({"/Producer": "Post Room 3", "/CreationDate": stamp, "/ModDate": stamp})
    writer.write(buffer)
    return buffer.getvalue()


def _altered(pages: Pages, fields: dict[str, str], rng: random.Random, font: str, on: date) -> Pages:
    """A digit of the amount becomes another: the document shows, and the truth says, what is printed now."""
    name = next(name for name in ("total_amount", "tax_due") if name in fields)
    place = pages.places[name]
    digits = [at for at, character in enumerate(place.text) if character.isdigit()][:-2]
    at = rng.choice(digits)
    digit = rng.choice([one for one in "123456789" if one != place.text[at]])
    altered = f"{place.text[:at]}{digit}{place.text[at + 1 :]}"
    value = list(fields[name])
    value[[place for place, character in enumerate(value) if character.isdigit()][digits.index(at)]] = digit
    fields[name] = "".join(value)
    changed = {**pages.places, name: replace(place, text=altered)}
    return replace(pages, pdf=tampering.alter(pages.pdf, place.text, altered, font, on), places=changed)
