"""Goal: a company finds its own documents and nobody else's. Method: every route, asked by both companies."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from ecosystem.contracts.creditx import PREFIXES, FailDocument
from specimens.maker import make
from specimens.model import Fault, Kind
from tests.services.creditx.conftest import AS_OF, NOW, Creditx
from tests.services.creditx.files import a_pdf
from tests.support.poll import PATIENCE_SECONDS, eventually

GOOD = make(Kind.BANK_STATEMENT, seed=11, as_of=AS_OF)
DECISION = {"outcome": "approved", "reason": "Looked at it."}
INJECTIONS = [
    "' or '1'='1", "'; drop table creditx.documents;--", "%", "_", "\\", "$1", "{{7*7}}", "<script>", "\x00", "%s",
]  # fmt: skip


class TestWaiting:
    async def test_outcome_is_told_the_moment_it_is_there(self, creditx: Creditx) -> None:
        document_id = UUID((await creditx.upload(GOOD.content)).json()["document_id"])
        path, prefer = f"/v1/documents/{document_id}", {"Prefer": "wait=20"}
        waiting = asyncio.create_task(creditx.client.get(path, headers=prefer))
        for task in creditx.steps(document_id):
            assert not waiting.done()
            await creditx.ask(task)
        answer = await asyncio.wait_for(waiting, PATIENCE_SECONDS)
        at_once = await creditx.client.get(path, headers=prefer)

        assert (answer.json()["status"], answer.headers["preference-applied"]) == ("completed", "wait=20")
        assert at_once.json() == answer.json()

    async def test_failure_is_an_outcome_too(self, creditx: Creditx) -> None:
        document_id = UUID((await creditx.upload(GOOD.content)).json()["document_id"])
        waiting = asyncio.create_task(
            creditx.client.get(f"/v1/documents/{document_id}", headers={"Prefer": "respond-async, wait=20"})
        )
        await creditx.ask(FailDocument(document_id=document_id, reason="gone"))

        assert (await asyncio.wait_for(waiting, PATIENCE_SECONDS)).json()["status"] == "failed"

    async def test_an_upload_that_waits_is_answered_with_the_document(self, creditx: Creditx) -> None:
        async def listed() -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = (await creditx.get("/v1/documents"))["items"]
            return items

        uploading = asyncio.create_task(creditx.upload(GOOD.content, key="once", prefer="wait=20"))
        document_id = UUID((await eventually(listed))[0]["document_id"])
        for task in creditx.steps(document_id):
            assert not uploading.done()
            await creditx.ask(task)
        answer = await asyncio.wait_for(uploading, PATIENCE_SECONDS)
        again = await creditx.upload(GOOD.content, key="once", prefer="wait=20")

        assert (answer.status_code, answer.headers["preference-applied"]) == (201, "wait=20")
        assert answer.headers["location"] == f"/v1/documents/{document_id}"
        assert answer.json() == (await creditx.client.get(f"/v1/documents/{document_id}")).json()
        assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (201, answer.json(), "true")

    async def test_an_upload_waits_no_longer_than_it_prefers_and_only_for_who_may_read(self, creditx: Creditx) -> None:
        soon = await creditx.upload(GOOD.content, prefer="wait=0")
        blind = await creditx.upload(GOOD.content, prefer="wait=20", client=creditx.caller("documents:write"))

        assert (soon.status_code, soon.json()["status"]) == (202, "received")
        assert soon.headers["preference-applied"] == "wait=0"
        assert (blind.status_code, blind.json()["status"]) == (202, "received")
        assert "preference-applied" not in blind.headers

    @pytest.mark.parametrize(
        "headers",
        [[("Prefer", "respond-async"), ("Prefer", "wait=10")], [("Prefer", "x" * 400 + ", wait=10")],
         [("Prefer", "wait=99999999999999")]],
        ids=["two headers", "a long one", "for ever"],
    )  # fmt: skip
    async def test_what_is_preferred_is_found_wherever_it_stands(
        self, creditx: Creditx, headers: list[tuple[str, str]]
    ) -> None:
        document_id = await creditx.ingest(GOOD.content)
        answer = await creditx.client.get(f"/v1/documents/{document_id}", headers=headers)
        assert answer.headers["preference-applied"] in ("wait=10", "wait=20")

    @pytest.mark.parametrize("prefer", ["wait=0", "return=minimal", "wait=soon", "wait=-5", ""])
    async def test_no_wait_is_answered_at_once(self, creditx: Creditx, prefer: str) -> None:
        document_id = (await creditx.upload(GOOD.content)).json()["document_id"]
        answer = await creditx.client.get(f"/v1/documents/{document_id}", headers={"Prefer": prefer})
        assert answer.json()["status"] == "received"
        assert answer.headers.get("preference-applied") in (None, "wait=0")

    async def test_another_company_waits_for_nothing(self, creditx: Creditx) -> None:
        document_id = (await creditx.upload(GOOD.content)).json()["document_id"]
        answer = await creditx.stranger.get(f"/v1/documents/{document_id}", headers={"Prefer": "wait=20"})
        assert answer.status_code == 404


class TestRoutes:
    async def test_each_needs_a_token_and_a_scope(self, creditx: Creditx) -> None:
        document_id = await creditx.ingest(a_pdf("x"))
        for method, path in _routes(creditx, document_id):
            for caller, status in ((creditx.service.client(), 401), (creditx.caller("runs:read"), 403)):
                assert (await caller.request(method, path, json=DECISION)).status_code == status, path

    async def test_another_company_s_document_is_not_there(self, creditx: Creditx) -> None:
        document_id = await creditx.ingest(GOOD.content, "Keller.pdf")
        for method, path in _routes(creditx, document_id):
            if str(document_id) not in path:
                continue
            body = DECISION if method == "POST" else None
            theirs = await creditx.stranger.request(method, path, json=body)
            absent = await creditx.stranger.request(method, path.replace(str(document_id), str(uuid4())), json=body)
            assert theirs.status_code == 404
            # Not even a trace of a difference between what is another's and what is nobody's.
            assert _without_trace(theirs.json()) == _without_trace(absent.json())
        assert (await creditx.stranger.get("/v1/documents")).json()["items"] == []
        assert (await creditx.stranger.get("/v1/documents", params={"q": "Keller"})).json()["items"] == []

    @pytest.mark.parametrize("text", INJECTIONS)
    async def test_a_strange_id_is_refused_and_a_strange_query_finds_nothing(self, creditx: Creditx, text: str) -> None:
        await creditx.ingest(GOOD.content)
        found = await creditx.client.get("/v1/documents", params={"q": text})
        kind = await creditx.client.get("/v1/documents", params={"kind": text})
        after = await creditx.client.get("/v1/documents", params={"cursor": text})

        # The database keeps no text with this sign, so that no question can be about one.
        expected = (422, None) if "\0" in text else (200, [])
        assert (found.status_code, found.json().get("items")) == expected
        assert (kind.status_code, after.status_code) == (422, 422)
        for answer in (kind, after):
            assert answer.json()["code"] in ("request_invalid", "cursor_invalid")
        bad = await creditx.client.get("/v1/documents/not-an-id/result")
        assert (bad.status_code, bad.json()["code"]) == (422, "request_invalid")

    async def test_a_kind_that_there_is_not_is_refused_with_those_there_are(self, creditx: Creditx) -> None:
        await creditx.ingest(GOOD.content)
        refused = await creditx.client.get("/v1/documents", params={"kind": "nope"})
        found = [await creditx.get(f"/v1/documents?kind={kind}") for kind in ("bank_statement", "visa", "unknown")]

        assert (refused.status_code, refused.json()["code"]) == (422, "kind_unknown")
        assert set(refused.json()["known"]) >= {"bank_statement", "invoice", "several", "unknown"}
        assert [len(page["items"]) for page in found] == [1, 0, 0]

    async def test_rule_sets_are_shown_with_the_hash_that_decisions_carry(self, creditx: Creditx) -> None:
        document_id = await creditx.ingest(GOOD.content)
        first, listed = (await creditx.get("/v1/rule-sets"))["items"]
        shown = await creditx.get("/v1/rule-sets/kyc_aml_v2")
        older = await creditx.get("/v1/rule-sets/kyc_aml_v2?version=1")
        absent = await creditx.client.get("/v1/rule-sets/kyc_aml_v2?version=9")
        result = await creditx.get(f"/v1/documents/{document_id}/result")
        unknown = await creditx.client.get("/v1/rule-sets/nothing")

        assert listed["name"] == result["rule_set"] == "kyc_aml_v2"
        assert listed["sha256"] == shown["sha256"] == result["rule_set_sha256"]
        assert (listed["current"], listed["version"], first["current"], older["sha256"]) == (
            True, result["rule_set_version"], False, first["sha256"],
        )  # fmt: skip
        assert (absent.status_code, absent.json()["code"]) == (422, "rule_set_unknown")
        assert (unknown.status_code, unknown.json()["code"]) == (422, "rule_set_unknown")

    async def test_before_its_outcome_a_document_shows_how_far_it_is(self, creditx: Creditx) -> None:
        answer = await creditx.upload(GOOD.content)
        document_id = UUID(answer.json()["document_id"])
        result = await creditx.get(f"/v1/documents/{document_id}/result")
        await creditx.ask(creditx.steps(document_id)[1])
        shown = await creditx.get(f"/v1/documents/{document_id}")

        assert (result["status"], result["values"], result["rules"], result["outcome"]) == ("received", [], [], None)
        assert (shown["status"], shown["kind"], shown["outcome"]) == ("processing", "bank_statement", None)


class TestSearch:
    async def test_by_whole_values_and_by_words(self, creditx: Creditx) -> None:
        document_id = str(await creditx.ingest(GOOD.content, "June 2026.pdf"))
        await creditx.ingest(a_pdf("something else"))
        fields = GOOD.truth.fields
        spaced = " ".join(fields["iban"][at : at + 4] for at in range(0, len(fields["iban"]), 4))
        holder = fields["account_holder"]
        asked = [
            fields["iban"], spaced, fields["iban"].lower(), holder, holder.upper(), holder.split()[-1],
            " ".join(reversed(holder.split())), fields["bic"], "june", "2026 june", fields["closing_balance"],
        ]  # fmt: skip

        for query in asked:
            found = (await creditx.client.get("/v1/documents", params={"q": query})).json()["items"]
            assert [item["document_id"] for item in found] == [document_id], query
        for query in (holder + " nobody", fields["iban"][:-1], holder[:3] + "zz", "…"):
            found = (await creditx.client.get("/v1/documents", params={"q": query})).json()["items"]
            assert found == [], query

    async def test_terms_are_blind(self, creditx: Creditx) -> None:
        await creditx.ingest(GOOD.content)
        rows = creditx.harness.platform.rows(
            "select term, documents::text from creditx.terms join creditx.documents using (company_id, document_id)"
            " where company_id = %s",
            creditx.ours,
        )

        assert len(rows) > 10
        assert {len(term) for term, _ in rows} == {32}
        assert not any(GOOD.truth.fields["iban"] in text or "Keller" in text for _, text in rows)

    async def test_pages_by_cursor_newest_first_with_filters(self, creditx: Creditx) -> None:
        ids = []
        for number in range(5):
            creditx.clock.advance(60)
            ids.append(str(await creditx.ingest(GOOD.content if number % 2 else a_pdf("memo"))))
        seen, cursor = [], None
        while True:
            params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await creditx.client.get("/v1/documents", params=params)).json()
            seen += [item["document_id"] for item in page["items"]]
            if (cursor := page["next_cursor"]) is None:
                break

        assert seen == ids[::-1]
        for params, expected in (
            ({"kind": "bank_statement"}, [ids[3], ids[1]]),
            ({"outcome": "review"}, [ids[4], ids[2], ids[0]]),
            ({"status": "received"}, []),
            ({"created_from": (NOW + timedelta(seconds=200)).isoformat()}, [ids[4], ids[3]]),
            ({"created_to": (NOW + timedelta(seconds=100)).isoformat()}, [ids[0]]),
        ):
            found = (await creditx.client.get("/v1/documents", params=params)).json()["items"]
            assert [item["document_id"] for item in found] == expected, params


class TestErasure:
    async def test_with_its_key_go_values_name_evidence_original_and_search(self, creditx: Creditx) -> None:
        document_id, other = await creditx.ingest(GOOD.content, "Keller.pdf"), await creditx.ingest(GOOD.content)
        with creditx.as_ours():
            await creditx.documents.erase(document_id)
            await creditx.documents.erase(document_id)

        for path in ("result", "evidence", "original"):
            answer = await creditx.client.get(f"/v1/documents/{document_id}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (410, "values_erased")
        shown = await creditx.get(f"/v1/documents/{document_id}")
        assert (shown["file_name"], shown["outcome"], shown["kind"]) == (None, "approved", "bank_statement")
        found = (await creditx.client.get("/v1/documents", params={"q": GOOD.truth.fields["iban"]})).json()["items"]
        assert [item["document_id"] for item in found] == [str(other)]
        assert creditx.audit().count("document_erased") == 1

    async def test_who_may_erase_does_it_once_and_it_is_told_who_it_was(self, creditx: Creditx) -> None:
        document_id = await creditx.ingest(GOOD.content, "Keller.pdf")
        officer = creditx.caller("documents:read", "documents:erase", client_id="officer")
        analyst = creditx.caller("documents:read", "documents:write", "documents:decide")
        path = f"/v1/documents/{document_id}/erase"
        refused = await analyst.post(path)
        first, again = await officer.post(path), await officer.post(path)

        assert (refused.status_code, refused.json()["scopes"]) == (403, ["documents:erase"])
        assert (first.status_code, first.json()["erased_at"] is None) == (200, False)
        assert again.json() == first.json()
        assert (first.json()["file_name"], first.json()["outcome"]) == (None, "approved")
        told = creditx.harness.platform.rows(
            "select row_to_json(l)::text from kernel.log l where company_id = %s and type = 'audit_recorded'"
            " and l::text like '%%document_erased%%'",
            creditx.ours,
        )
        assert len(told) == 1
        assert "officer" in told[0][0]
        assert "Keller" not in told[0][0]

    async def test_what_another_company_would_erase_is_not_there_and_stays(self, creditx: Creditx) -> None:
        document_id = await creditx.ingest(GOOD.content)
        answer = await creditx.stranger.post(f"/v1/documents/{document_id}/erase")

        assert (answer.status_code, answer.json()["code"]) == (404, "document_not_found")
        assert (await creditx.get(f"/v1/documents/{document_id}"))["erased_at"] is None
        assert (await creditx.get(f"/v1/documents/{document_id}/result"))["values"]

    async def test_until_its_retention_ends_the_original_stays_sealed(self, creditx: Creditx) -> None:
        document_id = await creditx.ingest(GOOD.content)
        before = creditx.stored()
        await creditx.client.post(f"/v1/documents/{document_id}/erase")

        assert creditx.stored() == before
        assert (await creditx.client.get(f"/v1/documents/{document_id}/original")).status_code == 410

    async def test_on_its_way_it_keeps_nothing_that_comes_later_and_asks_nobody(self, creditx: Creditx) -> None:
        document_id = UUID((await creditx.upload(GOOD.content)).json()["document_id"])
        _, extract, check, _ = creditx.steps(document_id)
        await creditx.ask(extract)
        await creditx.ask(check)
        with creditx.as_ours():
            document, terms, _ = await creditx.documents.prepare_store(document_id)
            await creditx.client.post(f"/v1/documents/{document_id}/erase")
            await creditx.service.kernel.database.run(lambda: creditx.documents.store(document, terms))
        await creditx.ask(FailDocument(document_id=document_id, reason="values_erased"))

        assert creditx.harness.platform.rows(
            "select 1 from creditx.terms where company_id = %s union all"
            " select 1 from creditx.reviews where company_id = %s", creditx.ours, creditx.ours,
        ) == []  # fmt: skip
        assert "compliance_document_review_requested" not in creditx.events()
        shown = await creditx.get(f"/v1/documents/{document_id}")
        assert (shown["status"], shown["erased_at"] is None) == ("failed", False)

    async def test_a_cached_form_is_sealed_and_goes_with_the_key(self, creditx: Creditx) -> None:
        document_id = await creditx.ingest(GOOD.content)
        cache = creditx.service.kernel.cache
        with creditx.as_ours():
            sealed = await cache.get(f"doc:{creditx.ours}:{document_id}")
            assert sealed is not None
            assert GOOD.truth.fields["iban"].encode() not in sealed
            await creditx.documents.erase(document_id)
            assert await cache.get(f"doc:{creditx.ours}:{document_id}") is None

    async def test_a_result_needs_no_cache(self, creditx: Creditx) -> None:
        document_id = await creditx.ingest(GOOD.content)
        before = await creditx.get(f"/v1/documents/{document_id}/result")
        with creditx.as_ours():
            await creditx.service.kernel.cache.delete(f"doc:{creditx.ours}:{document_id}")

        assert await creditx.get(f"/v1/documents/{document_id}/result") == before
        assert before["outcome"] == "approved"


async def test_review_is_asked_for_in_the_transaction_of_the_outcome(creditx: Creditx) -> None:
    specimen = make(Kind.KYC_QUESTIONNAIRE, seed=2, as_of=AS_OF, fault=Fault.MISSING_VALUE)
    document_id = await creditx.ingest(specimen.content)

    rows = creditx.harness.platform.rows(
        "select array_agg(type order by id) from kernel.log where company_id = %s group by xid order by xid",
        creditx.ours,
    )
    asked = [row[0] for row in rows if "compliance_document_review_requested" in row[0]]
    assert asked == [["audit_recorded", "compliance_document_review_requested"]]
    assert (await creditx.get(f"/v1/documents/{document_id}"))["reasons"] == ["a value is missing"]


def _routes(creditx: Creditx, document_id: UUID) -> list[tuple[str, str]]:
    """Every route of the service that asks for documents."""
    found = [
        (
            method,
            route.path.replace("{document_id}", str(document_id))
            .replace("{name}", "kyc_aml_v2")
            .replace("{page}", "1"),
        )  # type: ignore[attr-defined]
        for router in creditx.service.service.routers
        for route in router.routes
        for method in route.methods  # type: ignore[attr-defined]
    ]
    assert len(found) == 16
    assert all(path.startswith(PREFIXES) for _, path in found)
    return found


def _without_trace(problem: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in problem.items() if name != "trace_id"}
