"""What the other documents of one customer say beside this one. Results of comparisons only, never their values.

The values of another document live and are erased under its own key; what is kept here must not outlive it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecosystem.services.creditx.judging.names import Same, same_address, same_company, same_person

COMPANIONS_MAX = 20
"""Other documents of one customer that are compared, newest first."""
_OF_COMPANIES = frozenset({"certificate_of_incorporation", "register_extract"})
_OF_PERSONS = frozenset({"passport", "identity_card", "visa", "proof_of_address", "kyc_questionnaire"})
# The holder of these may be either; the issuer of an invoice is somebody else.
_OF_EITHER = {"bank_statement": "account_holder", "tax_form": "taxpayer_name"}


@dataclass(frozen=True)
class Companion:
    """One part of another document of the customer. `on_file`: it was not rejected, so that it counts as there."""

    document_id: str
    kind: str
    values: Mapping[str, str]
    on_file: bool


def customer_facts(kind: str, values: Mapping[str, str], others: Sequence[Companion] | None) -> dict[str, Any]:
    """`known`; `company` or a person; `kinds` on file, this one too; `documents` with how each compares to this one."""
    if others is None:
        return {"known": False, "company": False, "kinds": [], "documents": []}
    kinds = sorted({kind, *(other.kind for other in others if other.on_file)})
    company = any(name in _OF_COMPANIES for name in kinds)
    documents = [
        {
            "document_id": other.document_id, "kind": other.kind,
            "name": _names(kind, values, other, company=company),
            "birth_date": _equal(values.get("birth_date"), other.values.get("birth_date")),
            "address": _addresses(kind, values, other),
            "number": _equal(values.get("registration_number"), other.values.get("registration_number")),
        }
        for other in others
    ]  # fmt: skip
    return {"known": True, "company": company, "kinds": kinds, "documents": documents}


def _names(kind: str, values: Mapping[str, str], other: Companion, *, company: bool) -> Same:
    """Persons with persons, companies with companies; the officers of a company may be several people."""
    here, there = _name(kind, values), _name(other.kind, other.values)
    kinds = {kind, other.kind}
    if not here or not there or (company and kinds & _OF_PERSONS):
        return "none"
    compare: Callable[[str, str], Same] = same_company if company else same_person
    return compare(here, there)


def _name(kind: str, values: Mapping[str, str]) -> str | None:
    if kind in _OF_EITHER:
        return values.get(_OF_EITHER[kind])
    if kind in _OF_COMPANIES:
        return values.get("company_name")
    if kind not in _OF_PERSONS:
        return None
    if "surname" in values and "given_names" in values:
        return f"{values['given_names']} {values['surname']}"
    return values.get("person_name")


def _addresses(kind: str, values: Mapping[str, str], other: Companion) -> Same:
    """Of the same sort only: a director does not live at the registered office."""
    name = "registered_address" if kind in _OF_COMPANIES else "address"
    here, there = values.get(name), other.values.get(name)
    return same_address(here, there) if here and there else "none"


def _equal(here: str | None, there: str | None) -> Same:
    if not here or not there:
        return "none"
    return "same" if "".join(here.split()).casefold() == "".join(there.split()).casefold() else "different"
