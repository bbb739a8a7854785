"""Goal: what is read ahead of its turn is what would be read at its turn. Method: real uploads, read once and again."""

from typing import Any
from uuid import uuid4

import pytest

from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.kernel.sandbox.shared import SharedBytes
from ecosystem.services.creditx.model import Habits
from ecosystem.services.creditx.receiving.arrivals import ARRIVAL, Arrivals, reading_by
from ecosystem.services.creditx.settings import ServiceSettings
from specimens.maker import make
from specimens.model import Kind
from tests.services.creditx.conftest import NOW, Creditx
from tests.services.creditx.files import a_pdf, a_picture

STATEMENT = make(Kind.BANK_STATEMENT, seed=11, as_of=NOW.date()).content
SWISS, AMERICAN = Habits("Europe/Zurich", "de_CH"), Habits("America/New_York", "en_US")


@pytest.fixture
def arrivals(sandbox: Sandbox) -> Arrivals:
    return Arrivals(sandbox, ServiceSettings())


async def read(sandbox: Sandbox, content: bytes, habits: Habits) -> dict[str, Any]:
    about = {"media_type": "application/pdf", **reading_by(habits)}
    answer: dict[str, Any] = await sandbox.run(f"{ARRIVAL}:extract", content, about)
    return answer


async def test_it_is_what_the_reading_itself_would_be(arrivals: Arrivals, sandbox: Sandbox) -> None:
    document_id = uuid4()
    with SharedBytes(STATEMENT) as content:
        async with arrivals.arrived(document_id, content, "statement.pdf", SWISS) as inspection:
            facts = await inspection
        assert facts["pages"] == 1
        assert facts == await arrivals.inspect(content, "statement.pdf")

    assert await arrivals.reading(document_id, reading_by(SWISS)) == await read(sandbox, STATEMENT, SWISS)
    assert await arrivals.reading(document_id, reading_by(SWISS)) is None


async def test_habits_that_changed_meanwhile_ask_for_a_new_reading(arrivals: Arrivals) -> None:
    document_id = uuid4()
    with SharedBytes(STATEMENT) as content:
        async with arrivals.arrived(document_id, content, "statement.pdf", SWISS):
            pass

    assert await arrivals.reading(document_id, reading_by(AMERICAN)) is None


@pytest.mark.parametrize(
    ("content", "habits", "pages_max"),
    [(a_picture("PNG"), SWISS, 10), (STATEMENT, None, 10), (STATEMENT, SWISS, 0)],
    ids=["a picture", "a company that is not known yet", "switched off"],
)
async def test_nothing_is_read_ahead_of(
    sandbox: Sandbox, content: bytes, habits: Habits | None, pages_max: int
) -> None:  # fmt: skip
    arrivals = Arrivals(sandbox, ServiceSettings(read_ahead_pages_max=pages_max))
    document_id = uuid4()
    with SharedBytes(content) as shared:
        async with arrivals.arrived(document_id, shared, "document", habits):
            pass

    assert await arrivals.reading(document_id, reading_by(habits or SWISS)) is None


async def test_an_upload_that_fails_leaves_nothing_behind(arrivals: Arrivals) -> None:
    document_id = uuid4()
    with SharedBytes(STATEMENT) as content, pytest.raises(ConnectionError):
        async with arrivals.arrived(document_id, content, "statement.pdf", SWISS):
            raise ConnectionError

    assert await arrivals.reading(document_id, reading_by(SWISS)) is None


async def test_an_inspection_that_is_given_up_leaves_nothing_behind(arrivals: Arrivals) -> None:
    document_id = uuid4()
    with SharedBytes(STATEMENT) as content:
        async with arrivals.arrived(document_id, content, "statement.pdf", SWISS) as inspection:
            inspection.cancel()

    assert inspection.cancelled()
    assert await arrivals.reading(document_id, reading_by(SWISS)) is None


async def test_the_oldest_give_way(arrivals: Arrivals) -> None:
    ids = [uuid4() for _ in range(65)]
    with SharedBytes(a_pdf("A page")) as content:
        for document_id in ids:
            async with arrivals.arrived(document_id, content, "page.pdf", SWISS):
                pass

    answers = [await arrivals.reading(document_id, reading_by(SWISS)) for document_id in ids]
    assert [answer is None for answer in answers] == [True] + 64 * [False]


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions that the sandbox is asked to run."""
    asked: list[str] = []
    stages = Sandbox.stages

    def noted(self: Sandbox, target: str, *rest: Any, **more: Any) -> Any:
        asked.append(target.partition(":")[2])
        return stages(self, target, *rest, **more)

    monkeypatch.setattr(Sandbox, "stages", noted)
    return asked


async def test_a_document_is_read_once_on_its_way(creditx: Creditx, jobs: list[str]) -> None:
    for number in range(2):
        document_id = await creditx.ingest(STATEMENT)
        assert jobs == ["arrive"] * (number + 1)
        assert (await creditx.get(f"/v1/documents/{document_id}"))["kind"] == "bank_statement"


async def test_habits_that_changed_between_two_uploads_ask_for_a_new_reading(creditx: Creditx, jobs: list[str]) -> None:
    await creditx.ingest(STATEMENT)
    await creditx.company(creditx.ours, locale="en_US", time_zone="America/New_York")
    await creditx.ingest(STATEMENT)

    assert jobs == ["arrive", "arrive", "extract"]
