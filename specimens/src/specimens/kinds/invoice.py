"""Invoices, in Switzerland and Liechtenstein at times with the payment part of a QR bill."""

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from specimens import numbers
from specimens.draft import CENT, Brief, Column, Draft, Run, Sheet, Slip, Table, amount_run
from specimens.model import Fault, Kind, TableTruth
from specimens.world import Address
from specimens.writing import grouped

_VAT_RATES = {
    "CH": "8.1", "LI": "8.1", "DE": "19", "AT": "20", "FR": "20", "BE": "21", "LU": "17", "ES": "21", "GB": "20",
    "IE": "23", "US": "8",
}  # fmt: skip


@dataclass(frozen=True)
class _Payment:
    """How the invoice is to be paid: to an account, at times with a reference that a QR bill asks for."""

    iban: str
    reference: str
    kind: str
    slip: bool = False
    coded: bool = False
    """With a QR code after the European Payments Council, for apps of banks in the euro area."""


def invoice(brief: Brief) -> Draft:
    rng, world, issuer, buyer = brief.rng, brief.world, brief.world.firm(), brief.world.person()
    currency, payment = world.currency, _payment(brief)
    sender, home = world.address(), world.address()
    draft = Draft(Kind.INVOICE, brief.title(Kind.INVOICE), brief.letterhead(issuer.name))
    draft.opening, draft.closing = brief.opening(Kind.INVOICE), brief.closing(Kind.INVOICE)
    draft.recipient = brief.recipient(buyer, home)
    sheet = Sheet(brief, draft, missing="invoice_number", doubled="total_amount")
    sheet.put("issuer", issuer.name)
    number = f"{rng.choice(('INV', 'R', 'F'))}-{brief.as_of.year}-{rng.randint(1, 9999):05d}"
    sheet.put("invoice_number", number)
    issued = brief.day_ago(10, 60)
    due = issued + timedelta(days=rng.choice((10, 14, 20, 30)))
    if brief.fault is Fault.DUE_BEFORE_INVOICE:
        due = issued - timedelta(days=rng.randint(2, 20))
    sheet.date("invoice_date", issued)
    sheet.date("due_date", due)
    sheet.put("iban", payment.iban, brief.hand.iban(payment.iban))
    vat = numbers.vat(rng, world.country)
    if vat and rng.random() < 0.7:
        sheet.put("vat_number", "".join(character for character in vat if character.isalnum()), vat)
    if payment.reference:
        sheet.put("payment_reference", payment.reference, _reference(payment))
    if rng.random() < 0.4:
        sheet.aside("customer_number", str(rng.randint(10_000, 99_999)))
    total = _items(brief, draft, currency)
    _total(sheet, brief, total, currency)
    sheet.stir()
    if payment.slip:
        draft.slip = _slip(brief, payment, issuer.name, sender, buyer.name, home, total, currency, number)
    elif payment.coded:
        epc = ("BCD", "002", "1", "SCT", "", issuer.name, payment.iban, f"EUR{total:.2f}", "", "", number, "")
        draft.code = ("\n".join(epc), str(brief.words["scan_to_pay"]))
    if rng.random() < 0.4:
        footer = f"{issuer.name} · {world.bank().name} · {grouped(payment.iban)}"
        draft.letterhead = replace(draft.letterhead, footer=(footer,))
    return draft


def _payment(brief: Brief) -> _Payment:
    rng = brief.rng
    country = "GB" if brief.world.country == "US" else brief.world.country
    account = numbers.iban(rng, country)
    if brief.fault is Fault.WRONG_IBAN_CHECK_DIGITS:
        return _Payment(numbers.with_wrong_check_digits(rng, account), "", "NON")
    # A QR code with the amount in it would contradict an amount that was altered, or printed twice.
    if brief.fault in (Fault.ALTERED_AMOUNT, Fault.CONTRADICTS_ITSELF) or rng.random() < 0.2:
        return _Payment(account, "", "NON")
    if country not in ("CH", "LI"):
        return _Payment(account, "", "NON", coded=brief.world.currency == "EUR" and rng.random() < 0.5)
    if rng.random() < 0.5:
        return _Payment(numbers.qr_iban(rng, country), numbers.qr_reference(rng), "QRR", slip=True)
    return _Payment(account, numbers.creditor_reference(rng), "SCOR", slip=True)


def _reference(payment: _Payment) -> str:
    """As the implementation guidelines print it: two digits and fives, or groups of four."""
    if payment.kind == "QRR":
        return f"{payment.reference[:2]} {grouped(payment.reference[2:], 5)}"
    return grouped(payment.reference)


def _items(brief: Brief, draft: Draft, currency: str) -> Decimal:
    """Writes the table with its totals; answers the sum to pay."""
    rng, hand = brief.rng, brief.hand
    words = {name: str(rng.choice(titles)) for name, titles in brief.words["columns"].items()}
    counted = rng.random() < 0.5
    rows: list[list[Run]] = []
    truth: list[tuple[str | None, ...]] = []
    subtotal = Decimal(0)
    for text in rng.sample(brief.words["goods"], rng.randint(2, 5)):
        count, price = (rng.randint(1, 12), brief.money(20, 600)) if counted else (1, brief.money(20, 4000))
        amount = count * price
        subtotal += amount
        middle = (str(count), hand.number(price)) if counted else ()
        rows.append([Run(part) for part in (text, *middle, hand.number(amount))])
        truth.append((text, *((str(count), f"{price:.2f}") if counted else ()), f"{amount:.2f}"))
    code = f" {currency}" if rng.random() < 0.6 else ""
    columns = [Column(words["item"], 0.46 if counted else 0.75)]
    names: tuple[str, ...] = ("text", "amount")
    if counted:
        columns += [Column(words["quantity"], 0.14, True), Column(words["unit_price"], 0.2, True)]
        names = ("text", "quantity", "unit_price", "amount")
    columns.append(Column(words["item_amount"] + code, 0.2 if counted else 0.25, True))
    rate = _VAT_RATES[brief.world.country]
    tax = (subtotal * Decimal(rate) / 100).quantize(CENT)
    totals, point = brief.words["totals"], hand.number(Decimal("0.5"))[1]
    draft.table = Table(columns, rows, [
        (str(totals["subtotal"]), Run(hand.amount(subtotal, currency))),
        (str(totals["vat"]).format(rate=rate.replace(".", point)), Run(hand.amount(tax, currency))),
    ])  # fmt: skip
    draft.tables.append(TableTruth("items", 1, names, tuple(truth)))
    return subtotal + tax


def _total(sheet: Sheet, brief: Brief, total: Decimal, currency: str) -> None:
    """Among the other values, or as the last line of the table as most do."""
    table = sheet.draft.table
    assert table is not None
    other = total + brief.money(5, 90)
    if brief.fault is Fault.CONTRADICTS_ITSELF or brief.rng.random() < 0.4:
        sheet.amount("total_amount", total, currency, other=other)
    else:
        label = sheet.label("total_amount")
        table.totals.append((label, amount_run(brief.hand.amount(total, currency), currency, "total_amount")))
        sheet.draft.fields["total_amount"] = f"{total:.2f}"
    sheet.currency(currency)


def _slip(
    brief: Brief, payment: _Payment, name: str, sender: Address, debtor: str, home: Address, total: Decimal,
    currency: str, number: str,
) -> Slip:  # fmt: skip
    """The payload of a Swiss QR code, version 0200, with structured addresses (SIX implementation guidelines 2.3)."""
    country = brief.world.country
    message = f"{brief.words['titles'][Kind.INVOICE][0]} {number}"
    lines = [
        "SPC", "0200", "1", payment.iban, *_structured(name, sender, country), *[""] * 7, f"{total:.2f}", currency,
        *_structured(debtor, home, country), payment.kind, payment.reference, message, "EPD",
    ]  # fmt: skip
    return Slip(
        payload="\r\n".join(lines),
        iban=grouped(payment.iban),
        creditor=(name, *sender.lines[:2]),
        reference=_reference(payment),
        message=message,
        debtor=(debtor, *home.lines[:2]),
        currency=currency,
        amount=f"{total:,.2f}".replace(",", " "),
    )


def _structured(name: str, address: Address, country: str) -> tuple[str, ...]:
    street, _, house = address.street.rpartition(" ")
    code, _, town = address.town.partition(" ")
    return "S", name, street, house, code, town, country
