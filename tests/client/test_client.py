"""Goal: the client keeps its promises. Method: both faces against a twin of the API that can be made to fail."""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from fastapi.responses import JSONResponse, PlainTextResponse

from client.make_sync import main as make_sync
from ecosystem_client import AsyncEcosystem, Ecosystem, Retries, claim_first_administrator_async
from ecosystem_client.errors import (
    ConnectionFailed,
    FollowTimedOut,
    Forbidden,
    Invalid,
    LoginRefused,
    NotFound,
    NotSendable,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
)
from tests.client.twin import CLIENT, SECRET, Twin, problem, served, twin_app

COMPANIES, CLIENTS = "/v1/companies", "/v1/clients"
QUICK = Retries(first_wait_seconds=0.001)


@pytest.fixture
def twin() -> Twin:
    return Twin()


def a_client(twin: Twin, **options: object) -> AsyncEcosystem:
    transport = httpx.ASGITransport(twin_app(twin))
    arguments = {"client_id": CLIENT, "client_secret": SECRET, "transport": transport, "retries": QUICK, **options}
    return AsyncEcosystem("http://twin", **arguments)  # type: ignore[arg-type]


@pytest.fixture
async def ecosystem(twin: Twin) -> AsyncIterator[AsyncEcosystem]:
    async with a_client(twin) as client:
        yield client


class TestTokens:
    async def test_one_token_serves_many_calls(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        for _ in range(3):
            await ecosystem.documents.page()

        assert twin.paths() == ["POST /oauth/token"] + 3 * ["GET /v1/documents"]

    async def test_token_is_renewed_before_it_expires(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        twin.token_seconds = 0
        await ecosystem.documents.page()
        await ecosystem.documents.page()

        assert twin.paths().count("POST /oauth/token") == 2

    async def test_refused_token_is_replaced_once(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        await ecosystem.documents.page()
        twin.revoked.add(twin.tokens[0])
        await ecosystem.documents.page()
        assert len(twin.tokens) == 2

        twin.failing = [problem(401, "unauthenticated"), JSONResponse({"access_token": "x"}), problem(401, "no")]
        with pytest.raises(Unauthenticated):
            await ecosystem.documents.page()

    async def test_wrong_secret_says_so(self, twin: Twin) -> None:
        async with a_client(twin, client_secret="wrong") as client:
            with pytest.raises(LoginRefused, match="Unknown client"):
                await client.documents.page()

    async def test_administrator_acts_for_a_company(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        await ecosystem.for_company("c7").documents.page()

        assert twin.tokens == ["token-1-c7"]


class TestRetries:
    async def test_reading_is_repeated_until_it_works(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        await ecosystem.documents.page()
        twin.failing = [problem(503, "unavailable"), problem(502, "x"), PlainTextResponse("no route", 504)]

        assert len((await ecosystem.documents.page()).items) == 2

    async def test_reading_gives_up_after_its_attempts(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        await ecosystem.documents.page()
        twin.failing = [problem(503, "unavailable") for _ in range(9)]

        with pytest.raises(Unavailable):
            await ecosystem.documents.page()
        assert len(twin.failing) == 5

    async def test_retry_after_is_honoured_but_not_for_ever(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        await ecosystem.documents.page()
        twin.failing = [problem(429, "too_many", headers={"Retry-After": "0"})]
        await ecosystem.documents.page()

        twin.failing = [problem(429, "too_many", headers={"Retry-After": "3600"})]
        with pytest.raises(TooManyRequests) as refused:
            await ecosystem.documents.page()
        assert refused.value.retry_after_seconds == 3600

    async def test_upload_is_repeated_under_one_key(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        await ecosystem.documents.page()
        twin.failing = [problem(503, "unavailable")]
        await ecosystem.documents.upload(io.BytesIO(b"%PDF"), name="a.pdf")

        sent = [headers for method, path, headers in twin.asked if path == "/v1/documents" and method == "POST"]
        assert len(sent) == 2
        assert sent[0]["idempotency-key"] == sent[1]["idempotency-key"]
        assert sent[0]["content-length"] == sent[1]["content-length"]

    async def test_creation_of_uncertain_outcome_is_repeated_under_one_key(
        self, twin: Twin, ecosystem: AsyncEcosystem
    ) -> None:
        await ecosystem.documents.page()
        twin.failing = [problem(503, "commit_uncertain")]
        company = await ecosystem.companies.create("A", region="eu", time_zone="UTC", locale="en_GB", currency="CHF")
        twin.failing = [problem(503, "commit_uncertain")]
        client = await ecosystem.clients.create("B", roles=["analyst"])

        keys = [headers["idempotency-key"] for method, path, headers in twin.asked if path in (COMPANIES, CLIENTS)]
        assert (company.company_id, client.client_id) == ("c1", "new")
        assert len(keys) == 4
        assert (keys[0] == keys[1], keys[2] == keys[3], keys[0] == keys[2]) == (True, True, False)

    async def test_what_could_happen_twice_is_not_repeated(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        await ecosystem.documents.page()
        twin.failing = [problem(503, "unavailable")]

        with pytest.raises(Unavailable):
            await ecosystem.runs.retry("r1")
        assert twin.paths().count("POST /v1/runs/r1/retry") == 1

    async def test_who_sends_much_at_once_goes_on_over_the_same_connections(self, twin: Twin) -> None:
        with served(twin_app(twin)) as url:
            async with AsyncEcosystem(url, CLIENT, SECRET, retries=QUICK) as client:
                await client.documents.page()
                twin.together = asyncio.Barrier(40)
                for _ in range(2):
                    await asyncio.gather(*(client.documents.page() for _ in range(40)))

        assert len(twin.peers) == 40

    async def test_nothing_listening_is_named(self) -> None:
        async with AsyncEcosystem("http://127.0.0.1:9", "a", "b", retries=QUICK) as client:
            with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1:9") as failed:
                await client.documents.page()
        assert failed.value.sent is False


class TestErrors:
    async def test_refusal_carries_rule_next_step_and_trace(self, ecosystem: AsyncEcosystem) -> None:
        with pytest.raises(Invalid) as refused:
            await ecosystem.documents.upload(b"", name="empty.pdf")

        assert (refused.value.code, refused.value.rule) == ("empty_file", "empty_file")
        assert refused.value.next_step == "Send the file again."
        assert refused.value.trace_id == "ab" * 16
        assert "Next: Send the file again." in str(refused.value)

    async def test_unknown_id_is_not_found(self, ecosystem: AsyncEcosystem) -> None:
        with pytest.raises(NotFound, match="Check the id"):
            await ecosystem.documents.get("nobody")

    async def test_foreign_answer_is_named(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        await ecosystem.documents.page()
        for body in (PlainTextResponse("<html>"), JSONResponse([1]), JSONResponse({"items": [{"status": "x"}]})):
            twin.failing = [body]
            with pytest.raises(UnexpectedAnswer):
                await ecosystem.documents.page()


class TestDocuments:
    async def test_upload_and_follow_to_the_outcome(self, ecosystem: AsyncEcosystem, tmp_path: Path) -> None:
        (tmp_path / "invoice.pdf").write_bytes(b"%PDF-1.7")
        receipt = await ecosystem.documents.upload(tmp_path / "invoice.pdf")
        document = await ecosystem.documents.follow(receipt.document_id)

        assert (document.kind, document.outcome) == ("invoice", "approved")
        assert document.compliance_score == Decimal("92.50")
        assert document.raw["a_field_of_tomorrow"] == 1
        assert receipt.trace_id is not None
        assert len(receipt.trace_id) == 32

    async def test_same_key_is_replayed(self, ecosystem: AsyncEcosystem) -> None:
        first = await ecosystem.documents.upload(b"x", name="a.pdf", idempotency_key="mine")
        second = await ecosystem.documents.upload(b"x", name="a.pdf", idempotency_key="mine")

        assert (first.replayed, second.replayed) == (False, True)
        assert first.document_id == second.document_id

    @pytest.mark.parametrize(("looks_until_done", "asked"), [(0, 1), (2, 3)], ids=["at once", "later"])
    async def test_ingest_sends_and_waits(
        self, twin: Twin, ecosystem: AsyncEcosystem, looks_until_done: int, asked: int
    ) -> None:
        twin.looks_until_done = looks_until_done
        document = await ecosystem.documents.ingest(b"x", name="a.pdf", idempotency_key="mine", timeout_seconds=30)

        about = [(method, headers) for method, path, headers in twin.asked if path.startswith("/v1/documents")]
        assert (document.document_id, document.outcome, len(about)) == ("document-0", "approved", asked)
        assert about[0][0] == "POST"
        assert (about[0][1]["prefer"], about[0][1]["idempotency-key"]) == (
            f"wait={int(min(20, ecosystem._connection.timeout_seconds / 2))}",
            "mine",
        )

    async def test_ingest_ends_with_its_time(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        twin.looks_until_done = 1000
        with pytest.raises(FollowTimedOut, match="still processing"):
            await ecosystem.documents.ingest(b"x", name="a.pdf", timeout_seconds=0.05)

    async def test_following_asks_the_platform_to_wait(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        receipt = await ecosystem.documents.upload(b"x", name="a.pdf")
        await ecosystem.documents.follow(receipt.document_id, timeout_seconds=30)

        waits = [headers.get("prefer") for method, path, headers in twin.asked if path.endswith(receipt.document_id)]
        assert waits[0] == f"wait={int(min(20, ecosystem._connection.timeout_seconds / 2))}"

    async def test_following_ends_with_its_time(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        twin.looks_until_done = 1000
        receipt = await ecosystem.documents.upload(b"x", name="a.pdf")

        with pytest.raises(FollowTimedOut, match="still processing"):
            await ecosystem.documents.follow(receipt.document_id, timeout_seconds=0.05)

    async def test_list_goes_through_all_pages(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        found = [document.document_id async for document in ecosystem.documents.list(limit=2)]

        assert found == ["d0", "d1", "d2", "d3", "d4"]
        assert twin.paths().count("GET /v1/documents") == 3

    async def test_a_page_comes_as_its_picture(self, ecosystem: AsyncEcosystem) -> None:
        assert await ecosystem.documents.page_image("d1", 2, width=450) == b"page 2, 450 wide"
        assert await ecosystem.documents.page_image("d1", 2) == b"page 2, None wide"

    async def test_original_comes_in_chunks(self, ecosystem: AsyncEcosystem) -> None:
        assert b"".join([chunk async for chunk in ecosystem.documents.original("d1")]) == b"one two"

    @pytest.mark.parametrize(
        ("name", "said"),
        [(None, "Bytes have no name"), ("a\ud800.pdf", r"'a\\ud800.pdf' is not Unicode text")],
        ids=["without a name", "half a sign"],
    )
    async def test_bytes_without_a_name_that_can_be_sent_are_refused_before_anything_is(
        self, twin: Twin, ecosystem: AsyncEcosystem, name: str | None, said: str
    ) -> None:
        with pytest.raises(NotSendable, match=said):
            await ecosystem.documents.upload(b"x", name=name)
        assert twin.asked == []

    async def test_what_is_no_regular_file_is_refused(self, ecosystem: AsyncEcosystem, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for place in (tmp_path, tmp_path / "pipe"):
            with pytest.raises(NotSendable, match="is no regular file"):
                await ecosystem.documents.upload(place)


class TestPaths:
    @pytest.mark.parametrize("wrong", ["", ".", "..", "../companies", "a\\b", "\ud800"])
    async def test_what_would_ask_for_something_else_is_refused_before_it_is_sent(
        self, twin: Twin, ecosystem: AsyncEcosystem, wrong: str
    ) -> None:
        with pytest.raises(NotSendable, match="is no id"):
            await ecosystem.documents.get(wrong)
        with pytest.raises(NotSendable):
            await ecosystem.notifications.remove_channel(wrong)
        assert twin.asked == []

    async def test_an_id_stays_one_part_of_the_path(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        with pytest.raises(NotFound):
            await ecosystem.documents.get("nobody?limit=1")
        assert twin.paths()[-1] == "GET /v1/documents/nobody%3Flimit=1"


class TestEvents:
    async def test_tail_goes_on_where_a_broken_stream_stopped(self, ecosystem: AsyncEcosystem) -> None:
        seen = []
        async for event in ecosystem.events.tail(after="10", reconnect_seconds=0):
            seen.append(event.id)
            if len(seen) == 5:
                break

        assert seen == ["e11", "e12", "e13", "e14", "e15"]


class TestFirstAdministrator:
    async def test_credential_becomes_a_client(self, twin: Twin) -> None:
        transport = httpx.ASGITransport(twin_app(twin))
        client = await claim_first_administrator_async("http://twin", "once", transport=transport)
        assert (client.client_id, client.client_secret) == (CLIENT, SECRET)
        assert SECRET not in repr(client)

        with pytest.raises(Unauthenticated, match="credential file of this home"):
            await claim_first_administrator_async("http://twin", "twice", transport=transport)


@pytest.fixture
def listening(twin: Twin) -> Iterator[str]:
    with served(twin_app(twin)) as url:
        yield url


class TestSynchronousFace:
    def test_same_promises_without_awaiting(self, twin: Twin, listening: str, tmp_path: Path) -> None:
        (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7")
        with Ecosystem(listening, CLIENT, SECRET, retries=QUICK) as ecosystem:
            ecosystem.documents.page()
            twin.failing = [problem(503, "unavailable")]
            receipt = ecosystem.documents.upload(tmp_path / "a.pdf")

            assert ecosystem.documents.follow(receipt.document_id).outcome == "approved"
            assert len(list(ecosystem.documents.list())) == 5
            assert next(ecosystem.events.tail(after="1")).id == "e2"
            with pytest.raises(NotFound):
                ecosystem.documents.get("nobody")

    def test_it_is_made_from_the_other(self) -> None:
        assert make_sync(["--check"]) == 0


class TestAgents:
    async def test_refusal_of_an_agent_is_told_in_its_words(self, twin: Twin, ecosystem: AsyncEcosystem) -> None:
        await ecosystem.token()
        refusal = {"request_id": "r", "status": "failure", "result": None, "error": "Not you."}
        twin.failing = [JSONResponse(refusal, 403)]

        with pytest.raises(Forbidden, match=r"Not you\. \(agent_failure, HTTP 403\)"):
            await ecosystem.ask_agent("validation-agent", "validate_document", {}, from_agent_id="x")
