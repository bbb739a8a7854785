"""Goal: people see their company's events and nothing else, and can mend. Method: the routes on a real database."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from ecosystem.kernel.http.pagination import encode_cursor
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.testing.harness import ServiceHarness
from ecosystem.services.events import service
from tests.kernel.db.fixtures import Platform
from tests.services.events.conftest import GENEVA, ZURICH, publish

READER = Principal("amy", ZURICH, frozenset({"events:read"}))
STRANGER = Principal("zoe", GENEVA, frozenset({"events:read"}))
OPERATOR = Principal("ops", None, frozenset({"events:read", "events:replay", "platform:read"}))


def recorded_in(platform: Platform) -> list[Any]:
    """(company, data) of each entry of an audit trail."""
    return platform.rows("select company_id, data from kernel.log where type = 'audit_recorded' order by id")


class TestListing:
    async def test_pages_follow_each_other_in_the_order_of_the_log(self, events: ServiceHarness) -> None:
        await publish(events, "one", "two", "three")
        amy = events.client(READER)
        first = (await amy.get("/v1/events", params={"limit": 2})).json()
        second = (await amy.get("/v1/events", params={"limit": 2, "after": first["next_cursor"]})).json()

        codes = [item["data"]["code"] for item in first["items"] + second["items"]]
        assert (codes, second["next_cursor"]) == (["one", "two", "three"], None)
        assert first["items"][0]["specversion"] == "1.0"
        assert first["items"][0]["userid"] == "client-1"

    async def test_filters_by_type_and_subject(self, events: ServiceHarness) -> None:
        document_id = await publish(events, "one")
        await publish(events, "two")
        amy = events.client(READER)
        mine = (await amy.get("/v1/events", params={"subject": str(document_id)})).json()
        none = (await amy.get("/v1/events", params={"type": "company_created"})).json()

        assert [item["data"]["code"] for item in mine["items"]] == ["one"]
        assert none["items"] == []

    async def test_event_of_another_company_is_not_found(self, events: ServiceHarness) -> None:
        await publish(events, "one")
        listed = (await events.client(READER).get("/v1/events")).json()["items"][0]
        zoe = events.client(STRANGER)

        assert (await events.client(READER).get(f"/v1/events/{listed['id']}")).json() == listed
        assert (await zoe.get(f"/v1/events/{listed['id']}")).status_code == 404
        assert (await zoe.get("/v1/events")).json()["items"] == []
        assert (await zoe.get(f"/v1/events/{uuid4()}")).status_code == 404

    @pytest.mark.parametrize("after", ["nonsense", "1.2", "1'; drop table x; --"])
    async def test_cursor_that_we_did_not_give_is_refused(self, events: ServiceHarness, after: str) -> None:
        answer = await events.client(READER).get("/v1/events", params={"after": after})

        assert (answer.status_code, answer.json()["code"]) == (422, "position_refused")

    @pytest.mark.parametrize("path", ["/v1/events/dead-letters", "/v1/events/archive"])
    @pytest.mark.parametrize("value", ["nope", 5, None, {"a": 1}, "a\0"])
    async def test_a_cursor_that_is_no_id_is_refused(self, events: ServiceHarness, path: str, value: object) -> None:
        answer = await events.client(READER).get(path, params={"cursor": encode_cursor(value)})

        assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")

    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/v1/events"), ("GET", "/v1/events/stream"), ("GET", "/v1/events/consumers"),
         ("GET", "/v1/events/dead-letters"), ("GET", "/v1/events/archive"), ("POST", "/v1/events/replay"),
         ("POST", f"/v1/events/dead-letters/{ZURICH}/redeliver"), ("POST", "/v1/events/dead-letters/redeliver"),
         ("GET", f"/v1/events/{ZURICH}")],
    )  # fmt: skip
    async def test_every_route_refuses_who_may_not(self, events: ServiceHarness, method: str, path: str) -> None:
        body = {"consumer": "archive", "from_position": "1.2.3"} if path.endswith("replay") else None
        nobody = await events.client().request(method, path, json=body)
        powerless = await events.client(Principal("x", ZURICH, frozenset())).request(method, path, json=body)

        assert (nobody.status_code, powerless.status_code) == (401, 403)


class TestCare:
    async def test_consumers_with_their_lag(self, events: ServiceHarness) -> None:
        await publish(events, "one", "two")
        amy = events.client(READER)
        before = (await amy.get("/v1/events/consumers")).json()
        await events.consume()
        after = (await amy.get("/v1/events/consumers")).json()

        assert [(item["name"], item["service"], item["lag_events"]) for item in before["items"]] == [
            ("archive", "events", 2),
            ("archive-damage", "events", 0),
        ]
        assert after["items"][0]["lag_events"] == 0
        assert after["horizon_seconds"] >= 0

    async def test_replay_is_counted_first_and_passes_over_what_was_handled(self, events: ServiceHarness) -> None:
        await publish(events, "one", "two", "three")
        await events.consume()
        operator = events.client(OPERATOR)
        first = (await events.client(READER).get("/v1/events", params={"limit": 1})).json()["items"][0]["position"]
        asked = {"consumer": "archive", "from_position": first}
        tried = (await operator.post("/v1/events/replay", json=asked | {"dry_run": True})).json()
        done = (await operator.post("/v1/events/replay", json=asked)).json()
        waiting = await self.pending(events)
        await events.consume()

        assert tried == {"consumer": "archive", "events": 2, "already_handled": 2, "to_handle": 0, "dry_run": True}
        assert done == tried | {"dry_run": False}
        assert waiting == 3
        # None of them twice; the fourth is the record of the replay itself.
        assert await self.pending(events) == 4

    async def test_a_replay_is_in_the_trail_of_the_platform_whoevers_token_it_was(
        self, events: ServiceHarness, platform: Platform
    ) -> None:
        await publish(events, "one")
        await events.consume()
        operator = events.client(replace(OPERATOR, company_id=ZURICH))
        asked = {"consumer": "archive", "from_position": "1.1.1"}
        for dry_run in (True, False):
            assert (await operator.post("/v1/events/replay", json=asked | {"dry_run": dry_run})).status_code == 200

        ((company, recorded),) = recorded_in(platform)
        assert (company, recorded["action"], recorded["target"]) == (None, "consumer_replayed", "archive")
        assert recorded["after"] == {"from_position": "1.1.1", "from_time": None}

    @staticmethod
    async def pending(events: ServiceHarness) -> int:

        database = events.kernel.database

        async def count() -> int:
            found = await database.session.execute(text("select count(*) from pending"))
            return int(found.scalar_one())

        return await database.read(count)

    @pytest.mark.parametrize(
        ("asked", "status", "code"),
        [({"consumer": "archive"}, 422, "replay_start_missing"),
         ({"consumer": "archive", "from_position": "x"}, 422, "position_refused"),
         ({"consumer": "nobody", "from_position": "1.2.3"}, 404, "consumer_unknown"),
         ({"consumer": "archive", "from_position": "1.2.3", "from_time": "2026-11-24T00:00:00Z"}, 422,
          "replay_start_missing"),
         ({"consumer": "archive", "from_time": "2026-11-24T00:00:00"}, 422, "request_invalid"),
         ({"consumer": "archive", "unknown": 1}, 422, "request_invalid")],
    )  # fmt: skip
    async def test_replay_that_cannot_be_is_refused(
        self, events: ServiceHarness, asked: dict[str, str], status: int, code: str
    ) -> None:
        answer = await events.client(OPERATOR).post("/v1/events/replay", json=asked)

        assert (answer.status_code, answer.json()["code"]) == (status, code)

    async def test_dead_letters_are_listed_and_redelivered_once(
        self, events: ServiceHarness, platform: Platform
    ) -> None:
        await publish(events, "one")
        letter = self.bury(platform)
        amy, zoe, operator = (events.client(who) for who in (READER, STRANGER, OPERATOR))
        mine, theirs, all_ = [(await who.get("/v1/events/dead-letters")).json() for who in (amy, zoe, operator)]
        again = await operator.post(f"/v1/events/dead-letters/{letter}/redeliver")
        twice = await operator.post(f"/v1/events/dead-letters/{letter}/redeliver")
        unknown = await operator.post(f"/v1/events/dead-letters/{uuid4()}/redeliver")

        assert [item["id"] for item in mine["items"]] == [item["id"] for item in all_["items"]] == [letter]
        assert mine["items"][0]["reason"] == "It did not work."
        assert theirs["items"] == []
        assert again.json() == {"id": letter, "status": "redelivered"}
        assert (twice.status_code, unknown.status_code) == (409, 404)
        assert platform.rows("select consumer, attempts from events.parked") == [("archive", 0)]
        ((company, recorded),) = recorded_in(platform)
        assert (company, recorded["action"], recorded["target"]) == (None, "dead_letter_redelivered", letter)

    async def test_all_of_a_consumer_are_redelivered_after_a_dry_run(
        self, events: ServiceHarness, platform: Platform
    ) -> None:
        await publish(events, "one")
        letter = self.bury(platform)
        zoe, operator = events.client(STRANGER), events.client(OPERATOR)
        asked = {"consumer": "archive"}

        async def redeliver(who: Any, **more: Any) -> Any:
            return (await who.post("/v1/events/dead-letters/redeliver", json=asked | more)).json()

        tried = await redeliver(operator, dry_run=True)
        other = await redeliver(operator, code="timeout")
        before = platform.rows("select count(*) from events.parked")
        done, twice = await redeliver(operator), await redeliver(operator)

        assert tried == {"consumer": "archive", "ids": [letter], "more": False, "dry_run": True}
        assert (other["ids"], before) == ([], [(0,)])
        assert (done["ids"], twice["ids"]) == ([letter], [])
        assert platform.rows("select consumer, attempts from events.parked") == [("archive", 0)]
        assert (await zoe.post("/v1/events/dead-letters/redeliver", json=asked)).status_code == 403

    async def test_those_of_a_code_are_redelivered_however_many_others_are_newer(
        self, events: ServiceHarness, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "REDELIVERED_MAX", 1)
        await publish(events, "one", "two", "three", "four")
        oldest, second, third, newest = self.bury_all(platform, "broken", "broken", "timeout", "timeout")
        operator = events.client(OPERATOR)
        asked = {"consumer": "archive", "code": "broken"}
        answers = [
            (await operator.post("/v1/events/dead-letters/redeliver", json=asked)).json() for _ in range(3)
        ]  # fmt: skip
        left = (await operator.get("/v1/events/dead-letters")).json()["items"]

        assert [(answer["ids"], answer["more"]) for answer in answers] == [
            ([second], True), ([oldest], False), ([], False)
        ]  # fmt: skip
        assert [letter["id"] for letter in left] == [newest, third]

    def bury(self, platform: Platform) -> str:
        (letter,) = self.bury_all(platform, "broken")
        return letter

    @staticmethod
    def bury_all(platform: Platform, *codes: str) -> list[str]:
        """As the consumer does after its last attempt: the events of the log, one with each code; the oldest first."""
        letters = [str(UUID(int=number)) for number, _ in enumerate(codes, 1)]
        rows = platform.rows("select epoch, xid::text, id, recorded_at from kernel.log order by epoch, xid, id")
        with psycopg.connect(platform.url("eco_events"), autocommit=True) as consumer:
            for letter, row, code in zip(letters, rows, codes, strict=True):
                consumer.execute(
                    "select kernel.bury(%s, 'archive', %s, %s::text::xid8, %s, %s, 5, %s, 'It did not work.')",
                    (letter, *row, code),
                )
        return letters
