"""Goal: every stored decision can be recomputed to the same number. Method: specimens judged, then replayed outside."""

from typing import Any
from uuid import UUID

import pytest

from ecosystem.cli import explaining
from ecosystem.contracts.creditx import CheckCompliance, ExtractMetadata
from ecosystem.services.creditx.judging.bench import BENCH
from ecosystem_client.models import Judgement
from specimens.maker import make
from specimens.model import REFUSED, Fault, Kind, Quality
from specimens.selections import everything
from tests.services.creditx.conftest import AS_OF, Creditx
from tests.services.creditx.files import a_pdf


async def judgements(creditx: Creditx) -> dict[str, Any]:
    """Of every document of the company, as `eco rules replay` gets them."""
    found, cursor = {}, None
    while True:
        params = {"limit": 50} | ({"cursor": cursor} if cursor else {})
        page = (await creditx.client.get("/v1/documents", params=params)).json()
        for item in page["items"]:
            answer = await creditx.client.get(f"/v1/documents/{item['document_id']}/judgement")
            found[item["document_id"]] = answer.json() if answer.status_code == 200 else answer.status_code
        if (cursor := page["next_cursor"]) is None:
            return found


async def recomputed(creditx: Creditx, judgement: dict[str, Any]) -> list[str]:
    path = f"/v1/rule-sets/{judgement['rule_set']}?version={judgement['rule_set_version']}"
    text = (await creditx.get(path))["text"]
    assert explaining.sha256(text) == judgement["rule_set_sha256"]
    return explaining.differences(Judgement.read(judgement), BENCH.recompute(text, judgement["inputs"]))


async def test_every_stored_decision_recomputes_to_the_same(creditx: Creditx) -> None:
    faults = set(Fault) - {*REFUSED, Fault.UNREADABLE}
    specimens = everything(5, AS_OF, qualities=[Quality.TEXT], faults=faults)[::2]
    specimens.append(make(Kind.INVOICE, seed=5, as_of=AS_OF, fault=Fault.UNREADABLE))
    for number, specimen in enumerate(specimens):
        document_id = await creditx.ingest(specimen.content, specimen.name)
        if number % 5 == 0:
            creditx.clock.advance(86_400)
    stored = await judgements(creditx)

    assert len(stored) == len(specimens) > 10
    for document_id, judgement in stored.items():
        assert judgement["inputs_kept"]
        assert await recomputed(creditx, judgement) == [], document_id
    assert {one["judged_outcome"] for one in stored.values()} == {"approved", "rejected", "review"}


async def test_a_decision_from_before_inputs_were_kept_follows_from_what_was_read(creditx: Creditx) -> None:
    document_id = await creditx.ingest(make(Kind.BANK_STATEMENT, seed=7, as_of=AS_OF).content)
    creditx.harness.platform.rows(
        "update creditx.documents set decision_inputs = null where document_id = %s returning 1", document_id
    )
    (judgement,) = (await judgements(creditx)).values()

    assert judgement["inputs_kept"] is False
    assert await recomputed(creditx, judgement) == []


async def test_the_decision_of_a_person_does_not_change_what_the_rules_said(creditx: Creditx) -> None:
    document_id = await creditx.ingest(a_pdf("memo"))
    await creditx.client.post(f"/v1/reviews/{document_id}/claim")
    body = {"outcome": "approved", "reason": "It is a cover letter."}
    assert (await creditx.client.post(f"/v1/reviews/{document_id}/decide", json=body)).status_code == 200
    (judgement,) = (await judgements(creditx)).values()

    assert (judgement["judged_outcome"], judgement["outcome"]) == ("review", "approved")
    assert await recomputed(creditx, judgement) == []


@pytest.mark.parametrize("change", ["a weight", "a value"])
async def test_what_was_changed_is_seen(creditx: Creditx, change: str) -> None:
    await creditx.ingest(make(Kind.BANK_STATEMENT, seed=7, as_of=AS_OF).content)
    (judgement,) = (await judgements(creditx)).values()
    text = (await creditx.get("/v1/rule-sets/kyc_aml_v2"))["text"]
    if change == "a weight":
        text = text.replace("score_to_approve: 80", "score_to_approve: 80").replace(
            "kind != 'unknown'", "kind == 'unknown'"
        )
    else:
        judgement["inputs"]["parts"][0]["facts"]["today"] -= 4000
    differences = explaining.differences(Judgement.read(judgement), BENCH.recompute(text, judgement["inputs"]))

    assert any("outcome is stored as approved" in one for one in differences)


async def test_what_has_no_judgement_says_why(creditx: Creditx) -> None:
    waiting = UUID((await creditx.upload(a_pdf("x"))).json()["document_id"])
    await creditx.ask(ExtractMetadata(document_id=waiting))
    before = await creditx.client.get(f"/v1/documents/{waiting}/judgement")
    await creditx.ask(CheckCompliance(document_id=waiting))
    judged = await creditx.get(f"/v1/documents/{waiting}/judgement")
    with creditx.as_ours():
        await creditx.documents.erase(waiting)
    erased = await creditx.client.get(f"/v1/documents/{waiting}/judgement")

    assert (before.status_code, before.json()["code"]) == (409, "document_in_progress")
    assert (judged["judged_outcome"], judged["outcome"]) == ("review", None)
    assert (erased.status_code, erased.json()["code"]) == (410, "values_erased")
