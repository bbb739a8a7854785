"""The five kinds of document, and texts that are none of them: what stands on each, and its planted faults."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from specimens.model import Cell, Draft, Fault, Kind, Table
from specimens.people import World
from specimens.writing import Hand, iban, with_wrong_check_digits

_RAPPEN = Decimal("0.01")

_SPENT = (
    "Card payment groceries", "Rent", "Standing order insurance", "Cash withdrawal", "Phone bill", "Railway ticket",
    "Pharmacy", "Restaurant", "Electricity",
)  # fmt: skip
_RECEIVED = ("Salary", "Transfer received", "Refund")
_GOODS = ("Consulting", "Delivery and handling", "Oak boards", "Annual maintenance", "Printed forms", "Training day")


@dataclass(frozen=True)
class Brief:
    """What a maker works from: its generator, its hand, the day it is written as of, and the fault to plant."""

    rng: random.Random
    world: World
    hand: Hand
    as_of: date
    fault: Fault | None

    def day_ago(self, least: int, most: int) -> date:
        return self.as_of - timedelta(days=self.rng.randint(least, most))

    def money(self, least: int, most: int) -> Decimal:
        return Decimal(self.rng.randint(least * 100, most * 100)) * _RAPPEN


class _Sheet:
    """Collects cells; a field that is to be missing is neither printed nor true."""

    def __init__(self, brief: Brief, draft: Draft, missing: str) -> None:
        self._brief, self._draft = brief, draft
        self._missing = missing if brief.fault is Fault.MISSING_VALUE else None

    def put(self, name: str, labels: tuple[str, ...], value: str, printed: str | None = None) -> None:
        label = self._brief.rng.choice(labels)
        if name == self._missing:
            return
        self._draft.fields[name] = value
        self._draft.cells.append(Cell(label, printed if printed is not None else value))

    def date(self, name: str, labels: tuple[str, ...], day: date) -> None:
        self.put(name, labels, day.isoformat(), self._brief.hand.date(day))

    def amount(self, name: str, labels: tuple[str, ...], amount: Decimal, currency: str) -> None:
        self.put(name, labels, str(amount), self._brief.hand.amount(amount, currency))

    def currency(self, code: str) -> None:
        """The code stands beside every amount; a line of its own is a habit of some."""
        self._draft.fields["currency"] = code
        if self._brief.rng.random() < 0.5:
            self._draft.cells.append(Cell("Currency", code))


def bank_statement(brief: Brief) -> Draft:
    rng, hand, bank = brief.rng, brief.hand, brief.world.bank()
    title = rng.choice(("Bank statement", "Account statement", "Statement of account"))
    draft = Draft(Kind.BANK_STATEMENT, bank.name, title)
    sheet = _Sheet(brief, draft, missing="bic")
    sheet.put("account_holder", ("Account holder", "Account name", "Account owner"), brief.world.person())
    account = iban(rng, bank.country)
    if brief.fault is Fault.WRONG_IBAN_CHECK_DIGITS:
        account = with_wrong_check_digits(rng, account)
    sheet.put("iban", ("IBAN", "Account number (IBAN)"), account, hand.iban(account))
    sheet.put("bic", ("BIC", "BIC / SWIFT", "SWIFT code"), bank.bic)
    end = brief.day_ago(5, 40)
    start = end - timedelta(days=rng.randint(27, 90))
    _period(sheet, draft, brief, *((end, start) if brief.fault is Fault.PERIOD_REVERSED else (start, end)))
    sheet.date(
        "statement_date", ("Statement date", "Date of statement", "Issued on"), end + timedelta(days=rng.randint(0, 4))
    )

    opening = brief.money(500, 20_000)
    draft.table, total = _movements(brief, start, end, bank.currency)
    closing = opening + total
    if brief.fault is Fault.BALANCE_DOES_NOT_FOLLOW:
        closing += brief.money(10, 900)
    labels = rng.choice((
        ("Opening balance", "Closing balance"),
        ("Balance brought forward", "Balance carried forward"),
        ("Previous balance", "New balance"),
    ))  # fmt: skip
    sheet.amount("opening_balance", labels[:1], opening, bank.currency)
    sheet.amount("closing_balance", labels[1:], closing, bank.currency)
    sheet.currency(bank.currency)
    return draft


def _period(sheet: _Sheet, draft: Draft, brief: Brief, start: date, end: date) -> None:
    """Two lines, or one with both dates."""
    if brief.rng.random() < 0.5:
        pair = brief.rng.choice((("Period start", "Period end"), ("Period from", "Period to")))
        sheet.date("period_start", pair[:1], start)
        sheet.date("period_end", pair[1:], end)
        return
    draft.fields |= {"period_start": start.isoformat(), "period_end": end.isoformat()}
    text = f"{brief.hand.date(start)} {brief.rng.choice(('to', '-'))} {brief.hand.date(end)}"
    draft.cells.append(Cell(brief.rng.choice(("Statement period", "Period")), text))


def _movements(brief: Brief, start: date, end: date, currency: str) -> tuple[Table, Decimal]:
    """The table of movements and their sum; one statement in five needs a second page."""
    rng = brief.rng
    count = rng.randint(35, 45) if rng.random() < 0.2 else rng.randint(4, 10)
    days = sorted(start + timedelta(days=rng.randint(0, (end - start).days)) for _ in range(count))
    rows: list[tuple[str, ...]] = []
    total = Decimal(0)
    for day in days:
        received = rng.random() < 0.35
        amount = brief.money(5, 900) * (1 if received else -1)
        rows.append((brief.hand.date(day), rng.choice(_RECEIVED if received else _SPENT), brief.hand.number(amount)))
        total += amount
    header = ("Date", rng.choice(("Description", "Details")), f"Amount {currency}")
    return Table(header, rows), total


def proof_of_address(brief: Brief) -> Draft:
    rng, issuer = brief.rng, brief.world.authority()
    title = rng.choice(("Proof of address", "Confirmation of residence", "Utility bill"))
    draft = Draft(Kind.PROOF_OF_ADDRESS, issuer, title)
    draft.opening = rng.choice((
        "This confirms that the person named below lives at the address shown.",
        "For presentation to a bank or an authority.",
        "Issued at the request of the person named below.",
    ))  # fmt: skip
    sheet = _Sheet(brief, draft, missing="issuer")
    sheet.put("person_name", ("Name", "Resident", "Customer name"), brief.world.person())
    sheet.put("address", ("Address", "Residential address", "Service address"), brief.world.address())
    old = brief.fault is Fault.OLD_PROOF_OF_ADDRESS
    issued = brief.day_ago(100, 400) if old else brief.day_ago(2, 80)
    sheet.date("issue_date", ("Issue date", "Date of issue", "Issued on", "Bill date"), issued)
    sheet.put("issuer", ("Issuer", "Issued by", "Issuing authority", "Provider"), issuer)
    return draft


def certificate_of_incorporation(brief: Brief) -> Draft:
    draft = Draft(Kind.CERTIFICATE_OF_INCORPORATION, "Register of Companies", "Certificate of incorporation")
    draft.opening = "It is certified that the company named below is entered in the register."
    sheet = _Sheet(brief, draft, missing="registration_number")
    sheet.put("company_name", ("Company name", "Name of company", "Company"), brief.world.firm())
    sheet.put(
        "registration_number",
        ("Registration number", "Company number", "Registration no."),
        brief.world.reference(),
    )
    founded = brief.day_ago(200, 9000)
    if brief.fault is Fault.DATE_IN_FUTURE:
        founded = brief.as_of + timedelta(days=brief.rng.randint(20, 200))
    sheet.date("incorporation_date", ("Date of incorporation", "Incorporation date", "Incorporated on"), founded)
    sheet.put(
        "registered_address",
        ("Registered address", "Registered office", "Registered office address"),
        brief.world.address(),
    )
    return draft


def invoice(brief: Brief) -> Draft:
    rng, issuer, bank = brief.rng, brief.world.firm(), brief.world.bank()
    draft = Draft(Kind.INVOICE, issuer, rng.choice(("Invoice", "Tax invoice")))
    sheet = _Sheet(brief, draft, missing="invoice_number")
    sheet.put("issuer", ("Issuer", "Issued by", "Seller", "Supplier"), issuer)
    number = f"{rng.choice(('INV', 'R', 'F'))}-{brief.as_of.year}-{rng.randint(1, 9999):05d}"
    sheet.put("invoice_number", ("Invoice number", "Invoice no.", "Invoice #"), number)
    issued = brief.day_ago(10, 60)
    due = issued + timedelta(days=rng.choice((10, 14, 20, 30)))
    if brief.fault is Fault.DUE_BEFORE_INVOICE:
        due = issued - timedelta(days=rng.randint(2, 20))
    sheet.date("invoice_date", ("Invoice date", "Date of invoice"), issued)
    sheet.date("due_date", ("Due date", "Payment due", "Due by"), due)
    account = iban(rng, bank.country)
    if brief.fault is Fault.WRONG_IBAN_CHECK_DIGITS:
        account = with_wrong_check_digits(rng, account)
    sheet.put("iban", ("IBAN", "Account number (IBAN)"), account, brief.hand.iban(account))

    items = [(rng.choice(_GOODS), brief.money(20, 4000)) for _ in range(rng.randint(2, 5))]
    subtotal = sum((amount for _, amount in items), Decimal(0))
    tax = (subtotal * Decimal("0.081")).quantize(_RAPPEN)
    written = brief.hand.amount
    draft.table = Table(
        ("Description", "Price"),
        [(text, written(amount, bank.currency)) for text, amount in items],
        totals=[("Subtotal", written(subtotal, bank.currency)), ("VAT 8.1 %", written(tax, bank.currency))],
    )
    sheet.amount(
        "total_amount", ("Total amount", "Total due", "Amount due", "Grand total"), subtotal + tax, bank.currency
    )
    sheet.currency(bank.currency)
    return draft


def kyc_questionnaire(brief: Brief) -> Draft:
    rng, bank = brief.rng, brief.world.bank()
    title = rng.choice(
        ("KYC questionnaire", "Know your customer questionnaire", "Customer due diligence questionnaire")
    )
    draft = Draft(Kind.KYC_QUESTIONNAIRE, bank.name, title)
    draft.opening = "Please answer every question."
    sheet = _Sheet(brief, draft, missing="occupation")
    sheet.put("person_name", ("Full name", "Name", "Name of client"), brief.world.person())
    sheet.date("birth_date", ("Date of birth", "Birth date"), brief.day_ago(20 * 365, 80 * 365))
    sheet.put("nationality", ("Nationality", "Citizenship"), brief.world.nationality())
    sheet.put("address", ("Address", "Residential address", "Home address"), brief.world.address())
    sheet.put("occupation", ("Occupation", "Profession"), brief.world.occupation())
    answer = "yes" if brief.fault is Fault.PEP_DECLARED else "no"
    sheet.put(
        "pep",
        ("Politically exposed person", "Politically exposed person (PEP)", "PEP"),
        answer,
        rng.choice((answer, answer.capitalize())),
    )
    sheet.date("signature_date", ("Date of signature", "Signature date", "Signed on"), brief.day_ago(1, 60))
    draft.closing = "I declare that these answers are complete and true."
    return draft


def unknown(brief: Brief) -> Draft:
    """Readable text that is no document of a known kind."""
    title, lines = brief.rng.choice((
        ("Lunch menu", ("Monday: lentil soup and bread", "Tuesday: rösti with spinach", "Wednesday: closed")),
        ("Minutes of the garden club", ("The hedge was discussed.", "Nobody wished to cut it.", "We went home.")),
        ("Memo", ("The lift will be out of order next week.", "Please use the stairs.", "The house thanks you.")),
    ))  # fmt: skip
    return Draft(Kind.UNKNOWN, brief.world.firm(), title, opening="\n".join(lines))


MAKERS: dict[Kind, Callable[[Brief], Draft]] = {
    Kind.BANK_STATEMENT: bank_statement,
    Kind.PROOF_OF_ADDRESS: proof_of_address,
    Kind.CERTIFICATE_OF_INCORPORATION: certificate_of_incorporation,
    Kind.INVOICE: invoice,
    Kind.KYC_QUESTIONNAIRE: kyc_questionnaire,
    Kind.UNKNOWN: unknown,
}
