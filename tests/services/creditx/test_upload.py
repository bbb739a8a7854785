"""Goal: an upload is taken once and whole, or refused by name with nothing stored. Method: through the real door."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from hashlib import sha256
from uuid import UUID

import httpx
import pytest

from ecosystem.kernel.http.app import create_app
from ecosystem.kernel.http.door import Door, Guards
from ecosystem.kernel.http.health import Health
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.sandbox.errors import (
    SandboxCrash,
    SandboxError,
    SandboxMemory,
    SandboxOutput,
    SandboxRaised,
    SandboxTimeout,
)
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.kernel.sandbox.shared import SharedBytes
from ecosystem.kernel.testing.twins import NamedPrincipals
from ecosystem.services.creditx.errors import DocumentRefused, IntakeFull
from ecosystem.services.creditx.routes import router
from ecosystem.services.creditx.settings import ServiceSettings
from tests.services.creditx.conftest import NOW, Creditx
from tests.services.creditx.files import a_pdf, drawing_without_end

PDF = a_pdf("A page")
MIB = 1 << 20
FORM = "multipart/form-data; boundary=b"
NAMES = [
    "../../etc/passwd", "..\\..\\boot.ini", "/etc/shadow", "C:evil.pdf", "a\x00.pdf", "a\r\nX-Evil: 1.pdf",
    "a\u202efdp.exe", "\u200b.pdf", ".htaccess", "-rf.pdf", "..", "con.pdf", "x" * 201, " a.pdf", "a\x1b[31m.pdf",
    "<script>alert(1)</script>.pdf", "a|b.pdf", "a?.pdf",
]  # fmt: skip


def part(disposition: bytes) -> bytes:
    return b"--b\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\nx\r\n"


def refusal(creditx: Creditx, answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a problem (RFC 9457) that says the rule and the next step, where nothing was stored."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["detail"]
    assert problem["next_step"]
    assert creditx.stored() == (0, 0)
    assert creditx.events() == []
    return answer.status_code, problem["code"]


class TestTaken:
    async def test_the_answer_says_where_to_look(self, creditx: Creditx) -> None:
        answer = await creditx.upload(PDF, "June statement.pdf")

        body = answer.json()
        assert (answer.status_code, body["status"]) == (202, "received")
        assert answer.headers["location"] == body["links"]["self"] == f"/v1/documents/{body['document_id']}"
        assert "idempotency-replayed" not in answer.headers
        assert creditx.stored() == (1, 1)
        assert creditx.events() == ["compliance_document_created"]
        assert creditx.audit() == ["document_uploaded"]

    async def test_the_original_comes_back_as_it_was(self, creditx: Creditx) -> None:
        path = (await creditx.upload(PDF, "Zürich – été.pdf")).json()["links"]["original"]
        original = await creditx.client.get(path)

        assert (original.content, original.headers["content-type"]) == (PDF, "application/pdf")
        assert original.headers["content-disposition"] == (
            "attachment; filename*=UTF-8''Z%C3%BCrich%20%E2%80%93%20%C3%A9t%C3%A9.pdf"
        )
        assert original.headers["x-content-type-options"] == "nosniff"

    async def test_nothing_of_it_lies_on_the_disk_in_clear(self, creditx: Creditx) -> None:
        await creditx.upload(a_pdf("Anna Keller"), "Anna Keller.pdf")
        folder = creditx.service.kernel.objects.settings.folder
        assert folder is not None
        rows = creditx.harness.platform.rows(
            "select file_name::text || facts::text from creditx.documents where company_id = %s", creditx.ours
        )

        stored = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert b"%PDF" not in stored
        assert b"Keller" not in stored + rows[0][0].encode()


class TestIdempotency:
    async def test_the_same_key_is_the_same_document(self, creditx: Creditx) -> None:
        first = await creditx.upload(PDF, key="k1")
        second = await creditx.upload(PDF, key="k1")

        assert second.status_code == 202
        assert second.json() == first.json()
        assert second.headers["idempotency-replayed"] == "true"
        assert creditx.stored()[0] == 1
        assert creditx.events() == ["compliance_document_created"]

    @pytest.mark.parametrize("change", ["content", "name", "rule_set"])
    async def test_a_key_stands_for_one_upload(self, creditx: Creditx, change: str) -> None:
        await creditx.upload(PDF, "a.pdf", key="k1")
        content = a_pdf("Another") if change == "content" else PDF
        name = "b.pdf" if change == "name" else "a.pdf"
        data = {"rule_set": "unknown_set"} if change == "rule_set" else {}
        answer = await creditx.upload(content, name, key="k1", data=data)

        expected = (422, "rule_set_unknown") if change == "rule_set" else (409, "idempotency_key_reused")
        assert (answer.status_code, answer.json()["code"]) == expected
        assert creditx.stored()[0] == 1

    async def test_ten_at_once_are_one(self, creditx: Creditx) -> None:
        answers = await asyncio.gather(*(creditx.upload(PDF, key="k1") for _ in range(10)))

        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["document_id"] for answer in answers}) == 1
        assert sum("idempotency-replayed" in answer.headers for answer in answers) == 9
        assert creditx.stored()[0] == 1
        assert creditx.events() == ["compliance_document_created"]

    async def test_a_key_belongs_to_its_company_and_its_client(self, creditx: Creditx) -> None:
        ids = set()
        for caller in (creditx.client, creditx.stranger, creditx.caller(client_id="client-9")):
            answer = await caller.post(
                "/v1/documents", files={"file": ("a.pdf", PDF)}, headers={"Idempotency-Key": "k1"}
            )
            ids.add(answer.json()["document_id"])

        assert len(ids) == 3

    @pytest.mark.parametrize("key", ["", "x" * 201, "with space", "caf\xe9"])
    async def test_a_strange_key_is_refused(self, creditx: Creditx, key: str) -> None:
        answer = await creditx.client.post(
            "/v1/documents", files={"file": ("a.pdf", PDF)}, headers=[(b"Idempotency-Key", key.encode("latin-1"))]
        )

        assert refusal(creditx, answer) == (422, "idempotency_key_invalid")

    async def test_without_a_key_each_upload_is_a_document(self, creditx: Creditx) -> None:
        ids = {
            (await creditx.client.post("/v1/documents", files={"file": ("a.pdf", PDF)})).json()["document_id"]
            for _ in range(2)
        }

        assert len(ids) == 2


class TestRefused:
    @pytest.mark.parametrize(
        ("status", "code", "content", "name"),
        [
            (422, "empty_file", b"", "a.pdf"),
            (422, "truncated_file", PDF[:300], "a.pdf"),
            (422, "executable_refused", b"\x7fELF" + bytes(100), "a.pdf"),
            (422, "type_contradicts_name", PDF, "a.png"),
            (415, "type_not_supported", b"hello", "a.txt"),
        ],
    )
    async def test_by_the_content(self, creditx: Creditx, status: int, code: str, content: bytes, name: str) -> None:
        answer = await creditx.upload(content, name)

        assert refusal(creditx, answer) == (status, code)

    @pytest.mark.parametrize(
        ("ended", "code", "step"),
        [
            (SandboxMemory(), "decompression_bomb", "ordinary quality"),
            (SandboxTimeout(), "too_complex", "Print it to PDF"),
            (SandboxOutput(), "too_complex", "Print it to PDF"),
            (SandboxCrash(), "too_complex", "Print it to PDF"),
            (SandboxRaised(error="RecursionError"), "too_complex", "Print it to PDF"),
            (SandboxRaised(error="KeyError"), "truncated_file", "scan it again"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_by_the_limit_that_its_inspection_reached(
        self, creditx: Creditx, monkeypatch: pytest.MonkeyPatch, ended: SandboxError, code: str, step: str
    ) -> None:
        async def end(*_: object, **__: object) -> AsyncGenerator[object, None]:
            raise ended
            yield

        monkeypatch.setattr(Sandbox, "stages", end)
        answer = await creditx.upload(PDF)

        assert refusal(creditx, answer) == (422, code)
        assert step in answer.json()["next_step"]

    async def test_by_a_limit_that_is_named(self, creditx: Creditx) -> None:
        answer = await creditx.upload(a_pdf(pages=501))

        assert refusal(creditx, answer) == (422, "too_many_pages")
        assert answer.json()["detail"] == "The document has too many pages (at most 500 pages)."
        assert answer.json()["pages_max"] == 500
        assert DocumentRefused("decompression_bomb", inflated_bytes_max=9).message == (
            "The content unfolds to more than can be read (at most 9 inflated bytes)."
        )

    async def test_by_what_a_real_reader_makes_of_a_drawing_without_end(self, creditx: Creditx) -> None:
        answer = await creditx.upload(drawing_without_end())

        assert refusal(creditx, answer) == (422, "decompression_bomb")

    @pytest.mark.parametrize("name", NAMES)
    async def test_by_a_hostile_name(self, creditx: Creditx, name: str) -> None:
        quoted = name.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        body = part(b'name="file"; filename="' + quoted + b'"')[:-3] + PDF + b"\r\n--b--\r\n"
        answer = await creditx.client.post(
            "/v1/documents",
            content=body,
            headers={"content-type": FORM},
        )

        assert answer.status_code == 422
        assert answer.json()["code"] in ("file_name_refused", "upload_malformed")
        assert name not in answer.text
        assert creditx.stored() == (0, 0)

    @pytest.mark.parametrize(
        "name", ["'; drop table documents;--.pdf", "O'Brien & Söhne (2).pdf", "${jndi}{{7+7}}.pdf"]
    )
    async def test_a_strange_name_stays_a_name(self, creditx: Creditx, name: str) -> None:
        answer = await creditx.upload(PDF, name)
        shown = await creditx.get(answer.json()["links"]["self"])

        assert shown["file_name"] == name

    async def test_by_its_length_before_a_byte_is_read(self, creditx: Creditx) -> None:
        read = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal read
            read += 1
            yield b"x" * MIB

        answer = await creditx.client.post(
            "/v1/documents", content=body(),
            headers={"content-type": "multipart/form-data; boundary=b", "content-length": str(200 * MIB)},
        )  # fmt: skip

        assert refusal(creditx, answer) == (413, "file_too_large")
        assert read <= 1

    async def test_by_its_size_while_it_streams(self, creditx: Creditx) -> None:
        sent = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal sent
            yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n' + PDF
            for _ in range(200):
                sent += 1
                yield bytes(MIB)
            yield b"\r\n--b--\r\n"

        answer = await creditx.client.post(
            "/v1/documents", content=body(), headers={"content-type": "multipart/form-data; boundary=b"}
        )

        assert refusal(creditx, answer) == (413, "file_too_large")
        assert sent <= 102

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("application/json", b"{}"),
            ("multipart/form-data", b"--b\r\n"),
            ("multipart/form-data; boundary=" + "b" * 71, b""),
            (FORM, b""),
            (FORM, b"--b--\r\n"),
            (FORM, b"garbage"),
            (FORM, part(b'name="file"') + b"--b--\r\n"),
            (FORM, part(b'name="other"; filename="a"') + b"--b--\r\n"),
            (FORM, part(b'name="rule_set"') + b"--b--\r\n"),
            (FORM, part(b'name="file"; filename="a.pdf"')),
            (FORM, b"--b\r\n" + b"X-H: y\r\n" * 50 + b"\r\nx\r\n--b--\r\n"),
            (FORM, part(b'name="file"; filename="a.pdf"\r\nContent-Transfer-Encoding: base64') + b"--b--\r\n"),
            (FORM, part(b'name="file"; filename="\xff.pdf"') + b"--b--\r\n"),
            (FORM, part(b'name="file"; filename="a.pdf"') * 2 + b"--b--\r\n"),
        ],
    )
    async def test_by_its_form(self, creditx: Creditx, content_type: str, body: bytes) -> None:
        answer = await creditx.client.post("/v1/documents", content=body, headers={"content-type": content_type})

        assert refusal(creditx, answer) == (422, "upload_malformed")

    async def test_by_a_long_name_and_by_a_long_field_with_their_limits(self, creditx: Creditx) -> None:
        named = await creditx.upload(PDF, "x" * 5000 + ".pdf")
        assert refusal(creditx, named) == (422, "file_name_refused")
        assert "200 characters" in named.json()["detail"]
        long = await creditx.upload(PDF, data={"customer": "c" * 300})
        assert refusal(creditx, long) == (422, "upload_malformed")
        assert "200 bytes" in long.json()["detail"]

    @pytest.mark.parametrize("rule_set", ["'; drop table documents;--", "../kyc_aml_v2", "", "KYC_AML_V2", "x" * 150])
    async def test_by_an_unknown_rule_set(self, creditx: Creditx, rule_set: str) -> None:
        answer = await creditx.upload(PDF, data={"rule_set": rule_set})

        assert refusal(creditx, answer) == (422, "rule_set_unknown")

    async def test_by_a_missing_token_and_a_missing_scope(self, creditx: Creditx) -> None:
        for caller, status in ((creditx.service.client(), 401), (creditx.caller("documents:read"), 403)):
            answer = await caller.post("/v1/documents", files={"file": ("a.pdf", PDF)})
            assert answer.status_code == status

        assert creditx.stored() == (0, 0)

    async def test_by_a_room_of_which_its_company_holds_its_part(self, creditx: Creditx) -> None:
        """Ten uploads say 100 MiB each and send a little: another company's goes on, one more of theirs does not."""
        here, held = asyncio.Semaphore(0), asyncio.Event()
        settings = ServiceSettings(uploads_bytes_max=MIB)
        principals = NamedPrincipals()
        for name, company in (("ours", creditx.ours), ("theirs", creditx.theirs)):
            principals.principals[name] = Principal(name, company, frozenset({"documents:write"}))

        async def slow(size: int) -> AsyncIterator[bytes]:
            yield part(b'name="file"; filename="a.pdf"') + bytes(size)
            here.release()
            await held.wait()

        def begin(size: int) -> "asyncio.Task[httpx.Response]":
            head = {"authorization": "Bearer ours", "content-type": FORM, "content-length": str(100 * MIB)}
            upload = asyncio.create_task(client.post("/v1/documents", content=slow(size), headers=head))
            upload.add_done_callback(lambda _: here.release())  # one that is refused is not waited for
            return upload

        app = create_app("creditx", "1", [router(creditx.documents, settings)])
        door = Door(app, Guards(principals), Health("creditx", "1", "i", NOW, state="ready"))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://service.test") as client:
            begun = [begin(MIB // 25) for _ in range(10)]
            for _ in begun:
                await here.acquire()
            files = {"file": ("a.pdf", PDF)}
            theirs = await client.post("/v1/documents", files=files, headers={"authorization": "Bearer theirs"})
            refused = await begin(MIB // 5)
            held.set()
            rest = await asyncio.gather(*begun)

        assert theirs.status_code == 202
        assert (refused.status_code, refused.json()["code"]) == (503, "uploads_busy")
        assert refused.headers["retry-after"] == "1"
        assert [one.status_code for one in rest] == [422] * 10


class TestIntake:
    async def test_a_company_has_so_many_documents_under_way_and_then_waits(self, creditx: Creditx) -> None:
        first = UUID((await creditx.upload(PDF)).json()["document_id"])
        await creditx.upload(PDF)
        documents = creditx.documents_with(unfinished_max=2)

        async def upload(key: str) -> UUID:
            with creditx.as_ours(), SharedBytes(PDF) as content:
                return (await documents.upload(content, sha256(PDF).digest(), "a.pdf", None, key)).document_id

        with pytest.raises(IntakeFull) as full:
            await upload("third")
        assert (full.value.status, full.value.retryable) == (429, True)
        assert full.value.details["retry_after_seconds"] >= 1
        assert creditx.stored() == (2, 2)

        await creditx.work(first)
        third = await upload("third")
        # What was taken before is answered again, however full it is.
        assert await upload("third") == third
        assert creditx.stored() == (3, 3)
