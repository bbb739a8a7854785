"""Goal: documents of one customer are found and compared, and nobody can read who that is. Method: through the door."""

from uuid import UUID

import pytest

from specimens.maker import make
from specimens.model import Kind
from tests.services.creditx.conftest import AS_OF, Creditx
from tests.services.creditx.files import a_pdf


async def sent(creditx: Creditx, kind: Kind, customer: str | None, seed: int = 3) -> UUID:
    data = {"customer": customer} if customer is not None else {}
    answer = await creditx.upload(make(kind, seed=seed, as_of=AS_OF).content, data=data)
    assert answer.status_code == 202, answer.text
    document_id = UUID(answer.json()["document_id"])
    for task in creditx.steps(document_id):
        await creditx.ask(task)
    return document_id


async def rule(creditx: Creditx, document_id: UUID, name: str) -> dict[str, str]:
    result = await creditx.get(f"/v1/documents/{document_id}/result")
    return next(one for one in result["rules"] if one["rule"] == name)


async def test_documents_of_a_customer_are_found_by_its_reference(creditx: Creditx) -> None:
    ours = await sent(creditx, Kind.INVOICE, "C-4711")
    await sent(creditx, Kind.INVOICE, "C-4712", seed=4)
    await sent(creditx, Kind.INVOICE, None, seed=5)

    found = (await creditx.client.get("/v1/documents", params={"customer": "C-4711"})).json()["items"]
    nobody = (await creditx.client.get("/v1/documents", params={"customer": "c-4711"})).json()["items"]
    theirs = (await creditx.stranger.get("/v1/documents", params={"customer": "C-4711"})).json()["items"]
    shown = await creditx.get(f"/v1/documents/{ours}")
    assert ([item["document_id"] for item in found], nobody, theirs) == ([str(ours)], [], [])
    assert shown["customer"] == "C-4711"


async def test_the_reference_is_sealed_and_leaves_no_trace(creditx: Creditx) -> None:
    await sent(creditx, Kind.INVOICE, "Anna.Keller-77")
    rows = creditx.harness.platform.rows(
        "select documents::text, octet_length(customer_index) from creditx.documents where company_id = %s",
        creditx.ours,
    )

    assert rows[0][1] == 32
    assert "Anna.Keller-77" not in rows[0][0] + str(creditx.harness.events())
    assert b"Anna.Keller-77".hex() not in rows[0][0]


async def test_a_file_that_is_incomplete_says_what_is_missing(creditx: Creditx) -> None:
    first = await sent(creditx, Kind.PROOF_OF_ADDRESS, "C-1")
    alone = await rule(creditx, first, "customer_complete")
    without = await sent(creditx, Kind.PROOF_OF_ADDRESS, None)

    assert alone["status"] == "failed"
    assert "Missing in the file: kyc questionnaire, passport or identity card." in alone["evidence"]
    assert (await rule(creditx, without, "customer_complete"))["status"] == "not_applicable"


async def test_two_names_in_one_file_are_for_a_person(creditx: Creditx) -> None:
    first = await sent(creditx, Kind.PROOF_OF_ADDRESS, "C-2", seed=3)
    other = await sent(creditx, Kind.KYC_QUESTIONNAIRE, "C-2", seed=8)
    compared = await rule(creditx, other, "customer_consistent")

    assert compared["status"] == "failed"
    assert f"proof of address {first}" in compared["evidence"]
    assert (await creditx.get(f"/v1/documents/{other}"))["outcome"] == "review"


async def test_an_erased_document_is_compared_with_nothing(creditx: Creditx) -> None:
    first = await sent(creditx, Kind.PROOF_OF_ADDRESS, "C-3", seed=3)
    with creditx.as_ours():
        await creditx.documents.erase(first)
    other = await sent(creditx, Kind.KYC_QUESTIONNAIRE, "C-3", seed=8)

    assert (await rule(creditx, other, "customer_consistent"))["status"] == "not_applicable"


@pytest.mark.parametrize("customer", ["", "x" * 65, "Müller", "a\nb", " a", "a\x00"])
async def test_what_is_no_reference_is_refused_and_nothing_is_stored(creditx: Creditx, customer: str) -> None:
    answer = await creditx.upload(a_pdf("x"), data={"customer": customer})

    assert (answer.status_code, answer.json()["code"]) == (422, "customer_refused")
    assert creditx.stored() == (0, 0)


async def test_the_same_key_for_another_customer_is_another_upload(creditx: Creditx) -> None:
    content = a_pdf("x")
    first = await creditx.upload(content, key="k", data={"customer": "C-1"})
    again = await creditx.upload(content, key="k", data={"customer": "C-1"})
    other = await creditx.upload(content, key="k", data={"customer": "C-2"})

    assert first.json()["document_id"] == again.json()["document_id"]
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
