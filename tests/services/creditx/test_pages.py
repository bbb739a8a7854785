"""Goal: a page without text is read once, kept sealed and gone with its document; a page is shown to its owner only.

Method: the real service, vault and sandbox; what reads and draws is a fake that runs in the sandbox as the real one
does, so that only the way there and back is looked at.
"""

import io
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from PIL import Image

from ecosystem.contracts.creditx import (
    CheckCompliance,
    ExtractMetadata,
    PagesRead,
    ReadPages,
    StoreDocument,
    ValidateDocument,
)
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.services.creditx.paging import pages
from ecosystem.services.creditx.paging.page_text import batches_of
from specimens.maker import make
from specimens.model import Kind
from tests.services.creditx import fakes
from tests.services.creditx.conftest import AS_OF, Creditx


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The pages of each job that a reader of pages was given."""
    monkeypatch.setattr(pages, "OCR", fakes.__name__)
    monkeypatch.setattr(pages, "PICTURES", fakes.__name__)
    jobs: list[list[int]] = []
    run = Sandbox.run

    async def spied(self: Sandbox, target: str, payload: Any, arguments: Any = None, **limits: Any) -> Any:
        if ":read_" in target:
            jobs.append(arguments["pages"])
        return await run(self, target, payload, arguments, **limits)

    monkeypatch.setattr(Sandbox, "run", spied)
    return jobs


def a_scan(number_of_pages: int) -> bytes:
    """A PDF whose pages are pictures, all different."""
    pictures = [Image.new("L", (100, 140), 200 - number % 100) for number in range(number_of_pages)]
    out = io.BytesIO()
    pictures[0].save(out, "PDF", save_all=True, append_images=pictures[1:])
    return out.getvalue()


async def upload(creditx: Creditx, number_of_pages: int) -> UUID:
    answer = await creditx.upload(a_scan(number_of_pages))
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["document_id"])


def kept(creditx: Creditx, document_id: UUID) -> list[tuple[Any, ...]]:
    return creditx.harness.platform.rows(
        "select page, sealed, engine, confidence, characters from creditx.page_texts where document_id = %s"
        " order by page", document_id,
    )  # fmt: skip


class TestBatches:
    async def test_pages_that_are_pictures_come_in_batches_of_four(self, creditx: Creditx) -> None:
        document_id = await upload(creditx, 9)
        validated = await creditx.ask(ValidateDocument(document_id=document_id))

        assert validated.page_batches == ((1, 2, 3, 4), (5, 6, 7, 8), (9,))
        assert validated.metadata.pages_to_read == tuple(range(1, 10))

    async def test_a_document_with_text_has_none(self, creditx: Creditx) -> None:
        specimen = make(Kind.INVOICE, seed=3, as_of=AS_OF)
        document_id = UUID((await creditx.upload(specimen.content)).json()["document_id"])

        assert (await creditx.ask(ValidateDocument(document_id=document_id))).page_batches == ()

    def test_nothing_and_five_hundred(self) -> None:
        assert batches_of([]) == ()
        assert [page for batch in batches_of(range(1, 501)) for page in batch] == list(range(1, 501))


class TestReading:
    async def test_what_stands_on_a_page_is_kept_sealed_and_counted_in_the_answer(self, creditx: Creditx) -> None:
        document_id = await upload(creditx, 2)
        answer: PagesRead = await creditx.ask(ReadPages(document_id=document_id, pages=(1, 2)))

        rows = kept(creditx, document_id)
        assert [(row[0], row[2], float(row[3])) for row in rows] == [(1, "rapidocr", 0.9), (2, "rapidocr", 0.9)]
        assert (answer.pages, answer.mean_confidence, answer.engine) == ((1, 2), 0.9, "rapidocr")
        assert answer.characters == sum(row[4] for row in rows) > 0
        assert not any(b"Keller" in row[1] for row in rows)
        assert "Keller" not in answer.model_dump_json()

    async def test_a_page_is_read_once_whoever_asks_again(self, creditx: Creditx, asked: list[list[int]]) -> None:
        document_id = await upload(creditx, 3)
        first = await creditx.ask(ReadPages(document_id=document_id, pages=(1, 2)), request_id="a")
        same = await creditx.ask(ReadPages(document_id=document_id, pages=(1, 2)), request_id="a")
        more = await creditx.ask(ReadPages(document_id=document_id, pages=(2, 3)), request_id="b")

        assert same == first
        assert asked == [[1, 2], [3]]
        assert more.pages == (2, 3)
        assert len(kept(creditx, document_id)) == 3

    async def test_extraction_gets_the_pages_that_were_read(self, creditx: Creditx) -> None:
        document_id = await upload(creditx, 2)
        await creditx.ask(ReadPages(document_id=document_id, pages=(1, 2)))
        extracted = await creditx.ask(ExtractMetadata(document_id=document_id))

        assert (extracted.pages, extracted.pages_without_text) == (2, 0)

    async def test_a_page_that_stays_unread_sends_the_document_to_review(self, creditx: Creditx) -> None:
        document_id = await upload(creditx, 2)
        await creditx.ask(ReadPages(document_id=document_id, pages=(1,)))
        for task in (ExtractMetadata, CheckCompliance, StoreDocument):
            await creditx.ask(task(document_id=document_id))

        shown = await creditx.get(f"/v1/documents/{document_id}")
        assert (shown["outcome"], "needs reading" in shown["reasons"]) == ("review", True)

    async def test_a_page_that_cannot_be_read_does_not_hide_its_neighbours(self, creditx: Creditx) -> None:
        document_id = await upload(creditx, fakes.UNREADABLE + 1)
        batch = tuple(range(fakes.UNREADABLE - 1, fakes.UNREADABLE + 2))
        answer = await creditx.ask(ReadPages(document_id=document_id, pages=batch))
        with pytest.raises(EcosystemError) as refused:
            await creditx.ask(ReadPages(document_id=document_id, pages=(fakes.UNREADABLE,)))

        assert answer.pages == (batch[0], batch[2])
        assert (refused.value.code, refused.value.retryable) == ("sandbox_raised", False)
        assert "secret" not in refused.value.message

    async def test_an_answer_about_other_pages_is_no_answer(self, creditx: Creditx) -> None:
        document_id = await upload(creditx, fakes.MISNUMBERED + 1)
        with pytest.raises(EcosystemError) as refused:
            await creditx.ask(ReadPages(document_id=document_id, pages=(fakes.MISNUMBERED,)))

        assert refused.value.code == "sandbox_crash"
        assert kept(creditx, document_id) == []

    async def test_pages_are_those_of_the_document_and_of_its_company(self, creditx: Creditx) -> None:
        document_id = await upload(creditx, 2)
        for task, company, code in (
            (ReadPages(document_id=document_id, pages=(2, 3)), creditx.ours, "page_not_found"),
            (ReadPages(document_id=document_id, pages=(1,)), creditx.theirs, "document_not_found"),
            (ReadPages(document_id=uuid4(), pages=(1,)), creditx.ours, "document_not_found"),
        ):
            with pytest.raises(EcosystemError) as refused:
                await creditx.ask(task, company_id=company)
            assert refused.value.code == code

    async def test_what_was_read_is_erased_with_the_document_also_when_it_comes_late(self, creditx: Creditx) -> None:
        document_id = await upload(creditx, 2)
        await creditx.ask(ReadPages(document_id=document_id, pages=(1,)))
        service = creditx.documents
        with creditx.as_ours():
            late = await service.pages.read(document_id, (2,))
            await service.erase(document_id)
            await creditx.service.kernel.database.run(lambda: service.pages.keep(document_id, late))

        assert kept(creditx, document_id) == []
        with pytest.raises(EcosystemError) as refused:
            await creditx.ask(ReadPages(document_id=document_id, pages=(2,)))
        assert refused.value.code == "values_erased"

    async def test_five_hundred_pages_reach_the_extraction(self, creditx: Creditx) -> None:
        """Far more than fits into one packet: 10 MB of what was read."""
        document_id = await upload(creditx, 500)
        service = creditx.documents
        with creditx.as_ours():
            document = await service.find(document_id)
            key = await service._vault.key(document)
            line = {"text": "x" * 20_000, "box": [0.0, 0.0, 1.0, 1.0]}
            texts = [
                pages.PageText(
                    number, key.encrypt(orjson.dumps({"page": number, "lines": [line]}),
                                        aad=pages.place_of(document_id, number)), "rapidocr", 0.9, 20_000,
                )
                for number in range(1, 501)
            ]  # fmt: skip
            await creditx.service.kernel.database.run(lambda: service.pages.keep(document_id, texts))
        extracted = await creditx.ask(ExtractMetadata(document_id=document_id))

        assert (extracted.pages, extracted.pages_without_text) == (500, 0)


class TestPictures:
    async def test_a_page_is_a_picture_that_its_viewer_may_keep_for_himself(self, creditx: Creditx) -> None:
        document_id = await upload(creditx, 2)
        path = f"/v1/documents/{document_id}/pages/2"
        answer = await creditx.client.get(path, params={"width": 300})
        again = await creditx.client.get(path, params={"width": 300}, headers={"If-None-Match": answer.headers["etag"]})
        other = await creditx.client.get(path, params={"width": 301}, headers={"If-None-Match": answer.headers["etag"]})

        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert Image.open(io.BytesIO(answer.content)).size == (300, 10)
        assert answer.headers["cache-control"] == "private, no-cache"
        assert (again.status_code, again.content) == (304, b"")
        assert other.status_code == 200
        shown = await creditx.get(f"/v1/documents/{document_id}")
        assert shown["links"]["pages"].format(page=2) == path

    @pytest.mark.parametrize(
        ("asked_for", "status"),
        [
            ("pages/3", 404), ("pages/0", 404), ("pages/-1", 404), (f"pages/{10**30}", 404), ("pages/x", 422),
            ("pages/1?width=0", 422), ("pages/1?width=63", 422), ("pages/1?width=100000", 422),
            ("pages/1?width=NaN", 422), ("pages/1?width=1e3", 422),
        ],
    )  # fmt: skip
    async def test_what_is_not_there_or_silly_is_refused(self, creditx: Creditx, asked_for: str, status: int) -> None:
        document_id = await upload(creditx, 2)
        answer = await creditx.client.get(f"/v1/documents/{document_id}/{asked_for}")

        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")

    async def test_others_see_nothing_and_an_erased_document_is_not_shown_again(self, creditx: Creditx) -> None:
        document_id = await upload(creditx, 1)
        path = f"/v1/documents/{document_id}/pages/1"
        tag = (await creditx.client.get(path)).headers["etag"]
        stranger = await creditx.stranger.get(path, headers={"If-None-Match": tag})
        no_reader = await creditx.caller("documents:write").get(path)
        with creditx.as_ours():
            await creditx.documents.erase(document_id)
        erased = await creditx.client.get(path, headers={"If-None-Match": tag})

        assert (stranger.status_code, no_reader.status_code, erased.status_code) == (404, 403, 410)
