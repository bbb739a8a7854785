"""Goal: a document that awaits review is decided once, by who holds it. Method: analysts through the real doors."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from ecosystem.contracts.creditx import CheckCompliance, ExtractMetadata, FailDocument, StoreDocument
from specimens.maker import make
from specimens.model import Kind
from tests.services.creditx.conftest import AS_OF, NOW, Creditx
from tests.services.creditx.files import a_pdf

REASON = "Anna Keller showed me the original."
GOOD = make(Kind.BANK_STATEMENT, seed=11, as_of=AS_OF)


@pytest.fixture
def ann(creditx: Creditx) -> httpx.AsyncClient:
    return creditx.caller("documents:read", "documents:decide", client_id="ann")


@pytest.fixture
def ben(creditx: Creditx) -> httpx.AsyncClient:
    return creditx.caller("documents:read", "documents:decide", client_id="ben")


async def awaiting(creditx: Creditx) -> UUID:
    """A document of no known kind."""
    return await creditx.ingest(a_pdf("memo"))


async def post(client: httpx.AsyncClient, document_id: UUID, verb: str, **body: str) -> httpx.Response:
    return await client.post(f"/v1/reviews/{document_id}/{verb}", json=body or None)


async def decide(client: httpx.AsyncClient, document_id: UUID, outcome: str = "approved", reason: str = REASON) -> Any:
    return await post(client, document_id, "decide", outcome=outcome, reason=reason)


class TestQueue:
    async def test_oldest_first_in_pages_and_only_what_awaits_a_decision(
        self, creditx: Creditx, ann: httpx.AsyncClient
    ) -> None:
        ids = []
        for _ in range(3):
            creditx.clock.advance(60)
            ids.append(str(await awaiting(creditx)))
        await creditx.ingest(GOOD.content)
        first = (await ann.get("/v1/reviews", params={"limit": 2})).json()
        rest = (await ann.get("/v1/reviews", params={"limit": 2, "cursor": first["next_cursor"]})).json()

        assert [item["document_id"] for item in first["items"] + rest["items"]] == ids
        assert rest["next_cursor"] is None
        assert first["items"][0]["reasons"] == ["the kind of document is not known"]
        assert first["items"][0]["failing_rules"] == ["kind_known"]

    async def test_a_caller_sees_what_it_holds_and_what_nobody_does(
        self, creditx: Creditx, ann: httpx.AsyncClient, ben: httpx.AsyncClient
    ) -> None:
        held, free = await awaiting(creditx), await awaiting(creditx)
        await post(ann, held, "claim")

        async def seen(client: httpx.AsyncClient, claimed: str) -> list[str]:
            return [
                item["document_id"]
                for item in (await client.get("/v1/reviews", params={"claimed": claimed})).json()["items"]
            ]

        assert (await seen(ann, "mine"), await seen(ben, "mine")) == ([str(held)], [])
        assert await seen(ben, "nobody") == [str(free)]
        creditx.clock.advance(31 * 60)
        assert (await seen(ann, "mine"), await seen(ben, "nobody")) == ([], [str(held), str(free)])

    async def test_another_company_s_review_is_not_there(self, creditx: Creditx) -> None:
        document_id = await awaiting(creditx)
        stranger = creditx.caller("documents:read", "documents:decide", company_id=creditx.theirs)

        assert (await stranger.get("/v1/reviews")).json()["items"] == []
        for answer in (await post(stranger, document_id, "claim"), await decide(stranger, document_id)):
            assert (answer.status_code, answer.json()["code"]) == (404, "document_not_found")

    async def test_deciding_needs_its_own_scope(self, creditx: Creditx) -> None:
        document_id = await awaiting(creditx)
        reader = creditx.caller("documents:read", "documents:write")

        for answer in (await post(reader, document_id, "claim"), await decide(reader, document_id)):
            assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


class TestClaims:
    async def test_of_two_at_once_one_holds_it_and_the_other_is_told_who(
        self, creditx: Creditx, ann: httpx.AsyncClient, ben: httpx.AsyncClient
    ) -> None:
        document_id = await awaiting(creditx)
        answers = await asyncio.gather(*(post(client, document_id, "claim") for client in (ann, ben) * 4))

        winners = {answer.json()["claimed_by"] for answer in answers if answer.status_code == 200}
        refused = [answer.json() for answer in answers if answer.status_code != 200]
        assert len(winners) == 1
        assert len(refused) == 4
        until = datetime.fromisoformat(refused[0]["claimed_until"])
        assert (refused[0]["code"], {one["claimed_by"] for one in refused}) == ("review_claimed", winners)
        assert until == NOW + timedelta(minutes=30)

    async def test_a_claim_is_extended_released_and_runs_out(
        self, creditx: Creditx, ann: httpx.AsyncClient, ben: httpx.AsyncClient
    ) -> None:
        document_id = await awaiting(creditx)
        await post(ann, document_id, "claim")
        creditx.clock.advance(20 * 60)
        extended = (await post(ann, document_id, "claim")).json()
        assert datetime.fromisoformat(extended["claimed_until"]) == NOW + timedelta(minutes=50)

        refused = await post(ben, document_id, "release")
        assert (refused.status_code, refused.json()["claimed_by"]) == (409, "ann")
        assert (await post(ann, document_id, "release")).json()["claimed_by"] is None
        unheld = await post(ann, document_id, "release")
        assert (unheld.status_code, unheld.json()["code"]) == (409, "review_not_held")
        assert (await post(ben, document_id, "claim")).json()["claimed_by"] == "ben"
        creditx.clock.advance(30 * 60)
        assert (await post(ann, document_id, "claim")).json()["claimed_by"] == "ann"


class TestDecision:
    async def test_it_becomes_the_outcome_is_told_audited_and_sealed(
        self, creditx: Creditx, ann: httpx.AsyncClient
    ) -> None:
        document_id = await awaiting(creditx)
        before = await creditx.get(f"/v1/documents/{document_id}/result")
        await post(ann, document_id, "claim")
        decided = (await decide(ann, document_id)).json()

        shown = await creditx.get(f"/v1/documents/{document_id}")
        result = await creditx.get(f"/v1/documents/{document_id}/result")
        assert (decided["awaits"], decided["decision"]["decided_by"]) == (False, "ann")
        assert (before["outcome"], shown["outcome"], shown["judged_outcome"]) == ("review", "approved", "review")
        assert (shown["decided_by"], datetime.fromisoformat(shown["decided_at"])) == ("ann", NOW)
        assert (result["outcome"], result["decision"]["reason"]) == ("approved", REASON)
        assert (await ann.get("/v1/reviews")).json()["items"] == []
        (event,) = [row[3] for row in creditx.harness.events("compliance_document_decided") if row[2] == creditx.ours]
        assert (event["outcome"], event["judged_outcome"], event["decided_by"]) == ("approved", "review", "ann")
        entry = next(row[3] for row in reversed(creditx.harness.events("audit_recorded")) if row[2] == creditx.ours)
        assert (entry["action"], entry["before"], entry["after"]["outcome"]) == (
            "document_decided", {"status": "completed", "outcome": "review"}, "approved",
        )  # fmt: skip
        rows = creditx.harness.platform.rows(
            "select documents::text from creditx.documents where document_id = %s", document_id
        )
        assert "Keller" not in str(rows) + str(creditx.harness.events())

    async def test_the_same_decision_twice_is_one_and_another_is_refused(
        self, creditx: Creditx, ann: httpx.AsyncClient, ben: httpx.AsyncClient
    ) -> None:
        document_id = await awaiting(creditx)
        await post(ann, document_id, "claim")
        answers = await asyncio.gather(*(decide(ann, document_id) for _ in range(4)))

        assert [answer.status_code for answer in answers] == [200] * 4
        assert len({answer.text for answer in answers}) == 1
        assert creditx.events().count("compliance_document_decided") == 1
        others = [
            await decide(ann, document_id, "rejected"), await decide(ben, document_id),
            await decide(ann, document_id, reason="Another."), await post(ben, document_id, "claim"),
        ]  # fmt: skip
        for answer in others:
            said = answer.json()
            assert (answer.status_code, said["code"], said["decided_by"]) == (409, "review_decided", "ann")

    async def test_only_who_holds_it_decides(
        self, creditx: Creditx, ann: httpx.AsyncClient, ben: httpx.AsyncClient
    ) -> None:
        document_id = await awaiting(creditx)
        nobody = await decide(ann, document_id)
        await post(ben, document_id, "claim")
        other = await decide(ann, document_id)

        assert (nobody.status_code, nobody.json()["code"]) == (409, "review_not_claimed")
        assert (other.status_code, other.json()["code"], other.json()["claimed_by"]) == (409, "review_claimed", "ben")

    async def test_after_the_lease_a_decision_counts_until_somebody_else_claimed(
        self, creditx: Creditx, ann: httpx.AsyncClient, ben: httpx.AsyncClient
    ) -> None:
        late, lost = await awaiting(creditx), await awaiting(creditx)
        for document_id in (late, lost):
            await post(ann, document_id, "claim")
        creditx.clock.advance(40 * 60)
        await post(ben, lost, "claim")

        refused = await decide(ann, lost)
        assert (refused.status_code, refused.json()["claimed_by"]) == (409, "ben")
        assert (await decide(ann, late)).status_code == 200
        assert (await decide(ben, lost, "rejected")).json()["decision"]["outcome"] == "rejected"

    async def test_a_decided_document_is_not_judged_again(self, creditx: Creditx, ann: httpx.AsyncClient) -> None:
        document_id = await awaiting(creditx)
        await post(ann, document_id, "claim")
        await decide(ann, document_id, "rejected")
        for task in creditx.steps(document_id):
            await creditx.ask(task)
        failed = await creditx.ask(FailDocument(document_id=document_id, reason="late"))

        assert (await creditx.get(f"/v1/documents/{document_id}"))["outcome"] == failed.outcome == "rejected"
        assert (await ann.get("/v1/reviews")).json()["items"] == []

    async def test_a_failed_ingestion_can_be_decided_and_stays_so_when_it_is_retried(
        self, creditx: Creditx, ann: httpx.AsyncClient
    ) -> None:
        document_id = UUID((await creditx.upload(GOOD.content)).json()["document_id"])
        await creditx.ask(FailDocument(document_id=document_id, reason="unavailable at /do/0"))
        await post(ann, document_id, "claim")
        assert (await decide(ann, document_id, "rejected")).status_code == 200

        await creditx.ask(ExtractMetadata(document_id=document_id))
        checked = await creditx.ask(CheckCompliance(document_id=document_id))
        stored = await creditx.ask(StoreDocument(document_id=document_id))
        shown = await creditx.get(f"/v1/documents/{document_id}")
        assert (checked.passed, stored.outcome) == (0, "rejected")
        assert (shown["status"], shown["outcome"], shown["failure"]) == ("completed", "rejected", "unavailable")

    async def test_a_failed_ingestion_that_comes_through_awaits_nobody(
        self, creditx: Creditx, ann: httpx.AsyncClient
    ) -> None:
        document_id = UUID((await creditx.upload(GOOD.content)).json()["document_id"])
        await creditx.ask(FailDocument(document_id=document_id, reason="unavailable at /do/0"))
        await post(ann, document_id, "claim")
        for task in creditx.steps(document_id):
            await creditx.ask(task)
        late = await decide(ann, document_id, "rejected")

        assert (await ann.get("/v1/reviews")).json()["items"] == []
        assert (late.status_code, late.json()["code"]) == (409, "review_not_asked")

    @pytest.mark.parametrize("body", [
        {"outcome": "review", "reason": REASON}, {"outcome": "approved", "reason": "x"}, {"outcome": "approved"},
        {"outcome": "approved", "reason": "a\x00b\x1b[2J"}, {"outcome": "approved", "reason": REASON, "by": "me"},
        {"outcome": "approved", "reason": "x" * 3000},
    ])  # fmt: skip
    async def test_what_is_no_decision_is_refused(
        self, creditx: Creditx, ann: httpx.AsyncClient, body: dict[str, str]
    ) -> None:
        document_id = await awaiting(creditx)
        await post(ann, document_id, "claim")
        answer = await ann.post(f"/v1/reviews/{document_id}/decide", json=body)

        assert answer.status_code == 422
        assert (await creditx.get(f"/v1/documents/{document_id}"))["outcome"] == "review"

    async def test_what_a_decision_may_be_is_said_in_plain_words(
        self, creditx: Creditx, ann: httpx.AsyncClient
    ) -> None:
        document_id = await awaiting(creditx)
        await post(ann, document_id, "claim")
        path = f"/v1/reviews/{document_id}/decide"
        outcome = (await ann.post(path, json={"outcome": "maybe", "reason": "Why not."})).json()
        reasons = [(await ann.post(path, json={"outcome": "approved", "reason": text})).json() for text in
                   ("", "ab", "x" * 2001, "x" * 5000)]  # fmt: skip
        kept = await ann.post(path, json={"outcome": "approved", "reason": "x" * 2000})

        assert outcome["detail"] == "outcome: Input should be 'approved' or 'rejected'"
        assert {(one["code"], one["detail"]) for one in reasons} == {
            ("reason_refused", "A decision has a reason of 3 to 2000 printable characters.")
        }
        assert kept.status_code == 200

    async def test_with_the_document_its_reason_is_erased_and_what_awaits_leaves_the_queue(
        self, creditx: Creditx, ann: httpx.AsyncClient
    ) -> None:
        decided, waiting = await awaiting(creditx), await awaiting(creditx)
        await post(ann, decided, "claim")
        await decide(ann, decided)
        with creditx.as_ours():
            await creditx.documents.erase(decided)
            await creditx.documents.erase(waiting)

        assert (await ann.get("/v1/reviews")).json()["items"] == []
        rows = creditx.harness.platform.rows(
            "select decided_reason, decision_inputs, customer from creditx.documents where company_id = %s",
            creditx.ours,
        )
        assert rows == [(None, None, None)] * 2
        assert (await ann.get(f"/v1/reviews/{decided}")).status_code == 410
        shown = await creditx.get(f"/v1/documents/{decided}")
        assert (shown["outcome"], shown["decided_by"]) == ("approved", "ann")
