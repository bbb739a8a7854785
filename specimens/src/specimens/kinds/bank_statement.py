"""Statements of several banks: amounts with a sign or in two columns, with or without running balances."""

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from specimens import numbers
from specimens.draft import Brief, Cell, Column, Draft, Run, Sheet, Table, amount_run
from specimens.model import Fault, Kind, TableTruth
from specimens.world import Bank
from specimens.writing import grouped


class Ledger(StrEnum):
    """How a bank prints what went in and out."""

    SIGNED = "signed"
    SIGNED_BALANCE = "signed_balance"
    TRAILING = "trailing"  # "120.00-"
    COLUMNS = "columns"
    COLUMNS_BALANCE = "columns_balance"

    @property
    def balances(self) -> bool:
        return self.value.endswith("balance")


def bank_statement(brief: Brief) -> Draft:
    rng, hand, bank, holder = brief.rng, brief.hand, brief.world.bank(), brief.world.person()
    account = numbers.iban(rng, bank.country)
    if brief.fault is Fault.WRONG_IBAN_CHECK_DIGITS:
        account = numbers.with_wrong_check_digits(rng, account)
    house = grouped(numbers.iban(rng, bank.country))
    letterhead = brief.letterhead(bank.name, f"{bank.name} · {bank.bic} · {brief.world.phone()}")
    draft = Draft(Kind.BANK_STATEMENT, brief.title(Kind.BANK_STATEMENT), letterhead)
    draft.recipient = brief.recipient(holder, brief.world.address())
    draft.opening, draft.closing = brief.opening(Kind.BANK_STATEMENT), brief.closing(Kind.BANK_STATEMENT)
    sheet = Sheet(brief, draft, missing="bic", doubled="iban")
    sheet.put("account_holder", holder.name)
    sheet.put("iban", account, hand.iban(account), other=house)
    sheet.put("bic", bank.bic)
    if brief.fault is Fault.MISSING_VALUE:
        draft.letterhead = brief.letterhead(bank.name)
    if rng.random() < 0.4:
        sheet.aside("customer_number", f"{rng.randint(100, 999)} {rng.randint(1000, 9999)}")
    end = brief.day_ago(5, 40)
    start = end - timedelta(days=rng.randint(27, 90))
    _period(sheet, brief, *((end, start) if brief.fault is Fault.PERIOD_REVERSED else (start, end)))
    sheet.date("statement_date", min(end + timedelta(days=rng.randint(0, 4)), brief.as_of))
    _money(sheet, brief, bank, start, end)
    sheet.stir()
    return draft


def _period(sheet: Sheet, brief: Brief, start: date, end: date) -> None:
    """Two lines, or one with both dates."""
    if brief.rng.random() < 0.5:
        sheet.date("period_start", start)
        sheet.date("period_end", end)
        return
    hand, word = brief.hand, brief.rng.choice(brief.words["period_words"])
    line = [Run(hand.date(start), "period_start"), Run(f" {word} "), Run(hand.date(end), "period_end")]
    sheet.draft.fields |= {"period_start": start.isoformat(), "period_end": end.isoformat()}
    sheet.draft.cells.append(Cell(sheet.label("period"), [line]))


def _money(sheet: Sheet, brief: Brief, bank: Bank, start: date, end: date) -> None:
    rng, draft, currency = brief.rng, sheet.draft, bank.currency
    opening = brief.money(500, 20_000)
    ledger = rng.choice(list(Ledger))
    movements = _movements(brief, start, end)
    closing = opening + sum((amount for _, _, amount in movements), Decimal(0))
    printed_closing = closing
    if brief.fault is Fault.BALANCE_DOES_NOT_FOLLOW:
        printed_closing += brief.money(10, 900)
    draft.table = _table(brief, ledger, movements, opening, currency)
    draft.tables.append(_truth(brief, ledger, movements, opening))
    if rng.random() < 0.35:
        _balance_rows(sheet, brief, opening, printed_closing, currency)
    else:
        sheet.amount("opening_balance", opening, currency)
        sheet.amount("closing_balance", printed_closing, currency)
    sheet.currency(currency)


def _balance_rows(sheet: Sheet, brief: Brief, opening: Decimal, closing: Decimal, currency: str) -> None:
    """The balances as first and last row of the table."""
    table = sheet.draft.table
    assert table is not None
    for name, amount, at in (("opening_balance", opening, 0), ("closing_balance", closing, len(table.rows) + 1)):
        row = [Run("") for _ in table.columns]
        row[1] = Run(sheet.label(name))
        row[-1] = amount_run(brief.hand.amount(amount, currency), currency, name)
        table.rows.insert(at, row)
        sheet.draft.fields[name] = f"{amount:.2f}"


def _movements(brief: Brief, start: date, end: date) -> list[tuple[date, str, Decimal]]:
    """One statement in six needs a second page."""
    rng = brief.rng
    count = rng.randint(32, 45) if rng.random() < 0.17 else rng.randint(4, 10)
    days = sorted(start + timedelta(days=rng.randint(0, (end - start).days)) for _ in range(count))
    movements = []
    for day in days:
        received = rng.random() < 0.35
        text = str(rng.choice(brief.words["received" if received else "spent"]))
        other = grouped(numbers.iban(rng, rng.choice(("CH", "DE", "FR", "ES", "AT"))))
        text = text.format(name=brief.world.person().surname, iban=other)
        movements.append((day, text, brief.money(5, 900) * (1 if received else -1)))
    return movements


def _table(
    brief: Brief, ledger: Ledger, movements: list[tuple[date, str, Decimal]], opening: Decimal, currency: str
) -> Table:
    words = {name: str(brief.rng.choice(titles)) for name, titles in brief.words["columns"].items()}
    code = f" {currency}" if brief.rng.random() < 0.6 else ""
    first = [Column(words["date"], 0.19), Column(words["text"], 0.41)]
    balance = [Column(words["balance"] + code, 0.18, True)] if ledger.balances else []
    if ledger in (Ledger.COLUMNS, Ledger.COLUMNS_BALANCE):
        first += [Column(words["debit"] + code, 0.15, True), Column(words["credit"] + code, 0.15, True)]
    else:
        first.append(Column(words["amount"] + code, 0.2, True))
    rows, running = [], opening
    for day, text, amount in movements:
        running += amount
        texts = [brief.hand.column_date(day), text, *_amounts(brief, ledger, amount)]
        if ledger.balances:
            texts.append(brief.hand.number(running))
        rows.append([Run(text) for text in texts])
    return Table(first + balance, rows)


def _amounts(brief: Brief, ledger: Ledger, amount: Decimal) -> list[str]:
    number = brief.hand.number(abs(amount))
    match ledger:
        case Ledger.COLUMNS | Ledger.COLUMNS_BALANCE:
            return [number, ""] if amount < 0 else ["", number]
        case Ledger.TRAILING:
            return [f"{number}{'-' if amount < 0 else '+'}"]
        case _:
            return [f"-{number}" if amount < 0 else number]


def _truth(brief: Brief, ledger: Ledger, movements: list[tuple[date, str, Decimal]], opening: Decimal) -> TableTruth:
    rows: list[tuple[str | None, ...]] = []
    for day, text, amount in movements:
        opening += amount
        rows.append((day.isoformat(), text, f"{amount:.2f}", *((f"{opening:.2f}",) if ledger.balances else ())))
    columns = ("date", "text", "amount", *(("balance",) if ledger.balances else ()))
    return TableTruth("movements", 1, columns, tuple(rows))
