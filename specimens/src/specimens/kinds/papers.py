"""Letters and forms of offices and companies, from proof of address to questionnaire."""

from datetime import date, timedelta
from decimal import Decimal

from specimens import numbers
from specimens.draft import Brief, Cell, Draft, Run, Sheet
from specimens.model import Fault, Kind


def _draft(brief: Brief, kind: Kind, sender: str, *footer: str) -> Draft:
    draft = Draft(kind, brief.title(kind), brief.letterhead(sender, *footer))
    draft.opening, draft.closing = brief.opening(kind), brief.closing(kind)
    return draft


def proof_of_address(brief: Brief) -> Draft:
    rng, issuer, person, address = brief.rng, brief.world.provider(), brief.world.person(), brief.world.address()
    draft = _draft(brief, Kind.PROOF_OF_ADDRESS, issuer)
    if rng.random() < 0.6:
        draft.recipient = brief.recipient(person, address)
    sheet = Sheet(brief, draft, missing="issue_date", doubled="issue_date")
    sheet.put("person_name", person.name)
    sheet.address("address", address)
    old = brief.fault is Fault.OLD_PROOF_OF_ADDRESS
    issued = brief.day_ago(100, 400) if old else brief.day_ago(2, 60)
    sheet.date("issue_date", issued, other=issued - timedelta(days=rng.randint(3, 25)))
    sheet.put("issuer", issuer)
    if rng.random() < 0.5:
        sheet.aside("customer_number", f"{rng.randint(10, 99)}-{rng.randint(10_000, 99_999)}")
    sheet.stir()
    return draft


def certificate_of_incorporation(brief: Brief) -> Draft:
    rng, firm = brief.rng, brief.world.firm()
    draft = _draft(brief, Kind.CERTIFICATE_OF_INCORPORATION, brief.world.register())
    sheet = Sheet(brief, draft, missing="registration_number", doubled="registration_number")
    sheet.put("company_name", firm.name)
    sheet.put("registration_number", brief.world.registration_number(), other=brief.world.registration_number())
    if rng.random() < 0.6:
        sheet.put("legal_form", firm.legal_form)
    sheet.date("incorporation_date", _founded(brief))
    sheet.address("registered_address", brief.world.address())
    if rng.random() < 0.4:
        sheet.put("lei", numbers.lei(rng))
    draft.signed_by = brief.world.person().name
    sheet.stir()
    return draft


def _founded(brief: Brief) -> date:
    if brief.fault is Fault.DATE_IN_FUTURE:
        return brief.as_of + timedelta(days=brief.rng.randint(20, 200))
    return brief.day_ago(200, 9000)


def register_extract(brief: Brief) -> Draft:
    rng, firm, world = brief.rng, brief.world.firm(), brief.world
    draft = _draft(brief, Kind.REGISTER_EXTRACT, world.register())
    sheet = Sheet(brief, draft, missing="registration_number", doubled="registration_number")
    sheet.put("company_name", firm.name)
    sheet.put("registration_number", world.registration_number(), other=world.registration_number())
    sheet.put("legal_form", firm.legal_form)
    sheet.address("registered_address", world.address())
    if rng.random() < 0.8:
        capital = Decimal(rng.choice((1000, 12_000, 20_000, 25_000, 60_000, 100_000, 250_000, 1_500_000)))
        sheet.amount("share_capital", capital, world.currency)
        sheet.currency(world.currency)
    sheet.date("entry_date", _founded(brief))
    if rng.random() < 0.8:
        people = list(dict.fromkeys(world.person().name for _ in range(rng.randint(1, 3))))
        sheet.lines("directors", "; ".join(people), people if rng.random() < 0.5 else ["; ".join(people)])
    sheet.date("extract_date", brief.day_ago(1, 60))
    if rng.random() < 0.4:
        sheet.put("lei", numbers.lei(rng))
    sheet.stir()
    return draft


def tax_form(brief: Brief) -> Draft:
    rng, world, person, office = brief.rng, brief.world, brief.world.person(), brief.world.tax_office()
    draft = _draft(brief, Kind.TAX_FORM, office)
    draft.recipient = brief.recipient(person, world.address())
    sheet = Sheet(brief, draft, missing="tax_number", doubled="tax_number")
    sheet.put("taxpayer_name", person.name)
    sheet.put("tax_number", world.tax_number(), other=world.tax_number())
    sheet.put("tax_year", str(brief.as_of.year - rng.randint(1, 2)))
    income = Decimal(rng.randint(180, 2400) * 100)
    due = (income * Decimal(rng.randint(60, 320)) / 1000).quantize(Decimal("0.05"))
    places = 0 if rng.random() < 0.3 and brief.fault is not Fault.ALTERED_AMOUNT else 2
    sheet.amount("taxable_income", income, world.currency, places=places)
    sheet.amount("tax_due", due, world.currency)
    sheet.currency(world.currency)
    future = brief.fault is Fault.DATE_IN_FUTURE
    sheet.date("issue_date", brief.as_of + timedelta(days=rng.randint(20, 90)) if future else brief.day_ago(5, 200))
    sheet.put("tax_office", office)
    sheet.stir()
    return draft


def kyc_questionnaire(brief: Brief) -> Draft:
    rng, world, person, address = brief.rng, brief.world, brief.world.person(), brief.world.address()
    draft = _draft(brief, Kind.KYC_QUESTIONNAIRE, world.bank().name)
    sheet = Sheet(brief, draft, missing="occupation", doubled="birth_date")
    sheet.put("person_name", person.name)
    born = brief.day_ago(20 * 365, 80 * 365)
    sheet.date("birth_date", born, other=born + timedelta(days=rng.randint(40, 900)))
    sheet.put("nationality", world.nationality())
    sheet.address("address", address)
    sheet.put("occupation", world.occupation())
    _pep(sheet, brief)
    if rng.random() < 0.6:
        sheet.put("source_of_funds", world.source_of_funds())
    sheet.date("signature_date", brief.day_ago(1, 60))
    draft.signed_by = person.name
    return draft


def _pep(sheet: Sheet, brief: Brief) -> None:
    """An answer in words, or two boxes of which one is ticked."""
    answer = "yes" if brief.fault is Fault.PEP_DECLARED else "no"
    words = brief.words
    if brief.rng.random() < 0.45:
        sheet.put("pep", answer, words[answer])
        return
    choices = tuple(
        (Run(words[choice], "pep" if choice == answer else None), choice == answer) for choice in ("yes", "no")
    )
    if brief.rng.random() < 0.3:
        choices = choices[::-1]
    sheet.draft.fields["pep"] = answer
    sheet.draft.cells.append(Cell(sheet.label("pep"), [], choices))


def unknown(brief: Brief) -> Draft:
    """Readable text that is no document of a known kind."""
    title, *lines = brief.rng.choice(brief.words["unknown"])
    return Draft(Kind.UNKNOWN, title, brief.letterhead(brief.world.firm().name), opening="\n".join(lines))
