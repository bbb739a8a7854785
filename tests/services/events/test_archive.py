"""Goal: every event stands once in a chained, encrypted archive. Method: the real consumer, job and object store."""

from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import pytest

from ecosystem.contracts.creditx import DocumentFailed
from ecosystem.contracts.events import EventPublished, PublishEvent
from ecosystem.kernel.agent.card import Result
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.keys.errors import CiphertextRefused
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.events import model, service
from ecosystem.services.events.model import Place, Waiting
from tests.kernel.db.fixtures import Platform
from tests.services.events.conftest import GENEVA, ZURICH, archived, publish, turn_a_bit_of_the_key

READER = Principal("amy", ZURICH, frozenset({"events:read"}))
TODAY = date(2026, 11, 24)


def a_place(number: int, size_bytes: int = 10) -> Place:
    return Place(1, number, number, datetime(2026, 11, 24, tzinfo=UTC), size_bytes)


class TestRules:
    @pytest.mark.parametrize(
        ("waiting", "due"),
        [(Waiting("a", date(2026, 11, 23), 1, 1), True), (Waiting("a", TODAY, 1, 1), False),
         (Waiting("a", TODAY, 5, 1), True), (Waiting("a", TODAY, 1, 100), True)],
    )  # fmt: skip
    def test_file_is_closed_when_its_day_is_over_or_it_is_full(self, waiting: Waiting, due: bool) -> None:
        assert model.is_due(waiting, TODAY, events_max=5, bytes_max=100) is due

    def test_file_takes_what_fits_and_at_least_one(self) -> None:
        places = [a_place(number) for number in range(4)]

        assert model.fitting(places, events_max=9, bytes_max=25) == places[:2]
        assert model.fitting(places, events_max=3, bytes_max=999) == places[:3]
        assert model.fitting([a_place(1, 99)], events_max=3, bytes_max=5) == [a_place(1, 99)]


class TestArchive:
    async def test_full_files_are_written_chained_and_readable(
        self, events: ServiceHarness, platform: Platform
    ) -> None:
        await publish(events, *(f"c{number}" for number in range(7)))
        await publish(events, "other", company=GENEVA)
        await events.consume()
        await events.job("close-archive-files")
        shown = (await events.client(READER).get("/v1/events/archive")).json()["items"]

        assert [(file["number"], file["events"]) for file in reversed(shown)] == [(1, 3), (2, 3)]
        assert shown[0]["previous_sha256"] == shown[1]["content_sha256"]
        assert platform.rows("select archive, count(*) from events.pending group by 1 order by 1") == [
            (str(ZURICH), 1), (str(GENEVA), 1)
        ]  # fmt: skip
        lines = await archived(events)
        assert [line["data"]["code"] for line in lines] == [f"c{number}" for number in range(6)]
        assert {line["companyid"] for line in lines} == {str(ZURICH)}

    async def test_a_file_is_read_page_by_page_and_stands_whole(
        self, events: ServiceHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "_FILE_PAGE", 2)
        await publish(events, *(f"c{number}" for number in range(6)))
        await events.consume()
        await events.job("close-archive-files")

        assert [line["data"]["code"] for line in await archived(events)] == [f"c{number}" for number in range(6)]
        shown = (await events.client(READER).get("/v1/events/archive")).json()["items"]
        assert [file["events"] for file in shown] == [3, 3]

    async def test_day_that_is_over_is_closed_and_nothing_twice(
        self, events: ServiceHarness, platform: Platform
    ) -> None:
        await publish(events, "one")
        await publish(events, "two", company=None)
        await events.consume()
        platform.rows("update events.pending set day = day - 1")
        await events.job("close-archive-files")
        await events.job("close-archive-files")

        assert platform.rows("select archive, events from events.files order by 1") == [
            (str(ZURICH), 1), ("platform", 1)
        ]  # fmt: skip
        assert platform.rows("select count(*) from events.pending") == [(0,)]

    async def test_one_that_cannot_be_written_is_told_and_keeps_no_other_waiting(
        self, events: ServiceHarness, platform: Platform
    ) -> None:
        await events.kernel.keyring.company(ZURICH)
        for company in (ZURICH, GENEVA):
            await publish(events, "one", "two", "three", company=company)
        await events.consume()
        turn_a_bit_of_the_key(platform, ZURICH)
        with pytest.raises(CiphertextRefused):
            await events.job("close-archive-files")
        written = "select archive, events from events.files order by made_at"
        first = platform.rows(written)
        turn_a_bit_of_the_key(platform, ZURICH)
        await events.job("close-archive-files")

        assert first == [(str(GENEVA), 3)]
        assert platform.rows(written) == [(str(GENEVA), 3), (str(ZURICH), 3)]


class TestEventBusAgent:
    async def ask(self, harness: KernelHarness, event_type: str, data: object, request_id: str | None = None) -> Result:
        task = PublishEvent.model_construct(event_type=event_type, data=data)
        return await harness.call(
            task, to="event-bus-agent", sender="orchestrator-agent", company_id=ZURICH, request_id=request_id
        )

    async def test_fact_is_published_once_for_each_request(
        self, harness: KernelHarness, events: ServiceHarness
    ) -> None:
        document_id = uuid4()
        data = {"document_id": str(document_id), "code": "unreadable"}
        first = await self.ask(harness, "compliance_document_failed", data, "r1")
        again = await self.ask(harness, "compliance_document_failed", data, "r1")

        assert isinstance(first, EventPublished)
        assert first == again
        assert harness.events() == [("compliance_document_failed", str(document_id), ZURICH, data)]
        assert DocumentFailed.model_validate(data).document_id == document_id

    @pytest.mark.parametrize(
        ("event_type", "data", "code", "told"),
        [("no_such_event", {}, "event_type_unknown", "no_such_event"),
         ("audit_recorded", {"action": "a", "target": "t"}, "event_type_unknown", "audit_recorded"),
         ("compliance_document_failed", {"document_id": "x", "code": "c"}, "event_data_refused", "document_id"),
         ("compliance_document_failed", {"document_id": str(UUID(int=1)), "code": "c", "name": "Amy Fox"},
          "event_data_refused", "name")],
    )  # fmt: skip
    async def test_what_no_contract_names_is_refused_and_nothing_is_kept(
        self, harness: KernelHarness, events: ServiceHarness, event_type: str, data: object, code: str, told: str
    ) -> None:
        with pytest.raises(EcosystemError) as refused:
            await self.ask(harness, event_type, data)

        assert (refused.value.code, "Amy" in refused.value.message) == (code, False)
        assert told in refused.value.message
        assert harness.events() == []
