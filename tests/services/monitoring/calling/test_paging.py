"""Goal: a page climbs until a person takes it, and takes its incident. Method: the real service, real mail and web."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest

from ecosystem.contracts.monitoring import Priority
from ecosystem.kernel import context
from ecosystem.kernel.errors import Severity
from ecosystem.services.monitoring.calling.composing import compose
from ecosystem.services.monitoring.calling.links import Link, Links
from ecosystem.services.monitoring.calling.paging import PagingService
from ecosystem.services.monitoring.settings import ServiceSettings
from tests.services.monitoring.calling.fixtures import GENEVA, SCOPES, ZURICH, Monitoring
from tests.services.monitoring.conftest import fault, help_needed, tell
from tests.support.poll import eventually
from tests.support.providers import MailBox, WebHook

ROTA = """\
time_zone: Europe/Zurich
rounds: 1
people:
  amy:
    name: Amy Muster
    notify: ["{amy}"]
  ben:
    name: Ben Muster
    notify: [{ben}]
levels:
  - people: [amy]
    acknowledge_within_minutes: 5
  - people: [ben]
    acknowledge_within_minutes: 5
"""


async def set_rota(
    monitoring: Monitoring, box: MailBox, hook: WebHook, company: UUID | None = ZURICH, ben_name: str = "Ben Muster"
) -> Any:
    text = ROTA.format(amy=box.url(), ben=f'"{hook.url("ben")}"').replace("Ben Muster", json.dumps(ben_name))
    answer = await monitoring.client(company).put("/v1/oncall", json={"text": text})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def paged(monitoring: Monitoring, **more: Any) -> Any:
    asked = {"priority": "P1", "title": "creditx-service is down", "summary": "It ended by SIGKILL."} | more
    answer = await monitoring.client().post("/v1/oncall/pages", json=asked)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def mail(box: MailBox, number: int = 1) -> str:
    async def look() -> bool:
        return len(box.mails) >= number

    await eventually(look)
    body = box.mails[number - 1].get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def token_in(text: str) -> str:
    found = re.search(r"https://edge\.test/\S+", text)
    assert found is not None, text
    return parse_qs(urlsplit(found[0]).query)["token"][0]


class TestRota:
    async def test_it_says_who_is_on_call_and_keeps_names_and_addresses_sealed(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook
    ) -> None:
        shown = await set_rota(monitoring, box, hook)
        stored = str(monitoring.harness.platform.rows(
            "select p::text from monitoring.people p union all select c::text from monitoring.channels c"
            " union all select r::text from monitoring.rotas r"
        ))  # fmt: skip
        events = str(monitoring.harness.events())

        assert [(turn["level"], turn["person"]["name"]) for turn in shown["on_call"]] == [
            (1, "Amy Muster"), (2, "Ben Muster"),
        ]  # fmt: skip
        assert not any(word in stored + events for word in ("Muster", "amy", "people.test", "/ben"))
        assert "rota_set" in monitoring.audited()

    async def test_set_again_it_keeps_people_and_forgets_who_is_left_out(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook
    ) -> None:
        first = await set_rota(monitoring, box, hook)
        again = await set_rota(monitoring, box, hook)
        only_amy = ROTA.format(amy=box.url(), ben="x").split("  ben:")[0] + "levels:\n  - people: [amy]\n"
        answer = await monitoring.client().put("/v1/oncall", json={"text": only_amy})
        keys = monitoring.harness.platform.rows(
            "select count(*) from monitoring.data_keys where subject like 'oncall/person/%%' and wrapped is null"
        )

        assert again["version"] == 2
        assert {one["person_id"] for one in again["people"]} == {one["person_id"] for one in first["people"]}
        assert [one["name"] for one in answer.json()["people"]] == ["Amy Muster"]
        assert keys == [(1,)]

    async def test_a_page_that_did_not_reach_a_wrong_address_goes_to_the_mended_one(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook
    ) -> None:
        async def was_refused() -> bool:
            return any(one.path == "/wrong" for one in hook.received)

        hook.answers = ["500"] * 20
        wrong = ROTA.format(amy=hook.url("wrong"), ben=f'"{hook.url("ben")}"')
        await monitoring.client().put("/v1/oncall", json={"text": wrong})
        page = await paged(monitoring)
        await eventually(was_refused)
        await set_rota(monitoring, box, hook)
        said = await mail(box)
        ended = await monitoring.ended(page["calls"][0]["notifications"][0])

        assert "creditx-service is down" in said
        assert ended["state"] == "sent"
        assert "/v1/oncall/link?token=" in said

    async def test_an_address_that_apprise_does_not_understand_is_named_by_line(
        self, monitoring: Monitoring, box: MailBox
    ) -> None:
        text = ROTA.format(amy="nonsense://t0ps3cret", ben="nochannel")

        answer = await monitoring.client().put("/v1/oncall", json={"text": text})
        missing = await monitoring.client().get("/v1/oncall")

        assert answer.status_code == 422
        assert [one["line"] for one in answer.json()["problems"]] == [6, 9]
        assert "t0ps3cret" not in answer.text
        assert missing.json()["code"] == "rota_missing"

    async def test_an_override_stands_for_its_time(self, monitoring: Monitoring, box: MailBox, hook: WebHook) -> None:
        await set_rota(monitoring, box, hook)
        ends = monitoring.clock.now() + timedelta(hours=2)
        client = monitoring.client()

        shown = (await client.post("/v1/oncall/overrides", json={"person": "ben", "to_at": ends.isoformat()})).json()
        later = (await client.get("/v1/oncall", params={"at": (ends + timedelta(minutes=1)).isoformat()})).json()
        past = await client.post("/v1/oncall/overrides", json={"person": "ben", "to_at": "2020-01-01T00:00:00Z"})
        nobody = await client.post("/v1/oncall/overrides", json={"person": "zoe", "to_at": ends.isoformat()})

        assert [turn["person"]["key"] for turn in shown["on_call"]] == ["ben", "ben"]
        assert shown["on_call"][0]["overridden"]
        assert later["on_call"][0]["person"]["key"] == "amy"
        assert (past.json()["code"], nobody.json()["code"]) == ("override_refused", "person_unknown")

    @pytest.mark.parametrize("at", [datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)])
    async def test_an_override_through_a_change_of_the_clocks_stands_in_each_of_its_minutes(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook, at: datetime
    ) -> None:
        await set_rota(monitoring, box, hook)
        monitoring.clock.advance((at - monitoring.clock.now()).total_seconds())
        client, day = monitoring.client(), f"{at + timedelta(days=1):%Y-%m-%d}"
        asked = {"person": "ben", "from_at": f"{day}T01:30:00", "to_at": f"{day}T03:30:00"}
        assert (await client.post("/v1/oncall/overrides", json=asked)).status_code == 201

        zurich = ZoneInfo("Europe/Zurich")
        for minute in range(0, 360, 15):
            moment = at + timedelta(minutes=minute)
            shown = (await client.get("/v1/oncall", params={"at": moment.isoformat()})).json()["on_call"][0]
            wall = moment.astimezone(zurich)
            assert shown["overridden"] == ("01:30" <= f"{wall:%H:%M}" < "03:30" and f"{wall:%Y-%m-%d}" == day)

    async def test_an_override_that_the_change_of_the_clocks_turns_round_is_refused(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook
    ) -> None:
        await set_rota(monitoring, box, hook)
        monitoring.clock.advance((datetime(2026, 3, 28, 22, tzinfo=UTC) - monitoring.clock.now()).total_seconds())
        # Half past two does not come on that day, and is read as half past three.
        asked = {"person": "ben", "from_at": "2026-03-29T02:30:00", "to_at": "2026-03-29T03:15:00"}
        answer = await monitoring.client().post("/v1/oncall/overrides", json=asked)

        assert (answer.status_code, answer.json()["code"]) == (422, "override_refused")

    @pytest.mark.parametrize(
        ("from_at", "to_at"),
        [
            ("9999-12-01T00:00:00-14:00", "9999-12-31T23:59:59-14:00"), ("0001-01-01T00:00:00", "0001-01-02T00:00:00"),
            ("2199-06-01T00:00:00Z", "2199-06-02T00:00:00Z"),
        ],
    )  # fmt: skip
    async def test_an_override_of_another_age_is_refused_and_pages_go_on(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook, from_at: str, to_at: str
    ) -> None:
        await set_rota(monitoring, box, hook)
        asked = {"person": "ben", "from_at": from_at, "to_at": to_at}
        answer = await monitoring.client().post("/v1/oncall/overrides", json=asked)

        assert (answer.status_code, answer.json()["code"]) == (422, "override_refused")
        assert (await paged(monitoring))["state"] == "open"
        assert "creditx-service is down" in await mail(box)

    @pytest.mark.parametrize(
        "at", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"]
    )
    async def test_a_moment_of_another_age_is_refused(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook, at: str
    ) -> None:
        await set_rota(monitoring, box, hook)
        answer = await monitoring.client().get("/v1/oncall", params={"at": at})

        assert (answer.status_code, answer.json()["code"]) == (422, "moment_refused")


class TestClimbing:
    async def test_a_page_that_nobody_takes_calls_the_next_level_and_ends(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook
    ) -> None:
        await set_rota(monitoring, box, hook)
        page = await paged(monitoring)
        assert "Amy Muster, you are on call" in await mail(box)

        await monitoring.climb()
        assert hook.received == []
        monitoring.clock.advance(301)
        await monitoring.climb()

        async def told() -> bool:
            return bool(hook.received)

        await eventually(told)
        monitoring.clock.advance(301)
        await monitoring.climb()
        await monitoring.climb()
        shown = (await monitoring.client().get(f"/v1/oncall/pages/{page['page_id']}")).json()

        assert shown["state"] == "unanswered"
        assert [call["level"] for call in shown["calls"]] == [1, 2]
        assert monitoring.audited().count("page_called") == 2
        assert "page_unanswered" in monitoring.audited()
        assert (len(box.mails), len(hook.received)) == (1, 1)

    async def test_a_page_that_nobody_can_be_told_of_waits_for_a_channel(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook
    ) -> None:
        page = await paged(monitoring)
        for _ in range(5):
            await monitoring.climb()
        asked = (await monitoring.client().get(f"/v1/oncall/pages/{page['page_id']}")).json()
        await set_rota(monitoring, box, hook)
        monitoring.clock.advance(61)
        await monitoring.climb()

        assert asked["state"] == "open"
        assert "Amy Muster, you are on call" in await mail(box)

    async def test_one_that_somebody_took_climbs_no_further(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook
    ) -> None:
        await set_rota(monitoring, box, hook)
        page = await paged(monitoring)
        client = monitoring.client()

        taken = (await client.post(f"/v1/oncall/pages/{page['page_id']}/acknowledge")).json()
        monitoring.clock.advance(3600)
        await monitoring.climb()
        again = (await client.post(f"/v1/oncall/pages/{page['page_id']}/acknowledge")).json()

        assert (taken["state"], taken["ended_by"]) == ("acknowledged", "client-1")
        assert again["ended_at"] == taken["ended_at"]
        assert len(again["calls"]) == 1

    async def test_the_same_key_is_the_same_page(self, monitoring: Monitoring, box: MailBox, hook: WebHook) -> None:
        await set_rota(monitoring, box, hook)
        key = str(uuid4())

        pages = [await paged(monitoring, key=key) for _ in range(5)]

        assert len({page["page_id"] for page in pages}) == 1
        assert monitoring.audited().count("page_requested") == 1

    async def test_a_calm_page_waits_for_the_morning_and_the_time_to_answer_begins_then(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook
    ) -> None:
        now = monitoring.clock.now()
        quiet = f"    quiet_hours: {now:%H}:00-{(now.hour + 2) % 24:02}:00\n    time_zone: UTC\n    notify"
        text = ROTA.format(amy=box.url(), ben=f'"{hook.url("ben")}"').replace("    notify", quiet, 1)
        assert (await monitoring.client().put("/v1/oncall", json={"text": text})).status_code == 200

        calm, urgent = await paged(monitoring, priority="P3"), await paged(monitoring, priority="P1", title="Now")
        await mail(box)
        morning = (now + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)

        assert [one["subject"] for one in box.mails] == ["P1 Now"]
        assert datetime.fromisoformat(calm["climbs_at"]) == morning + timedelta(minutes=5)
        assert datetime.fromisoformat(urgent["climbs_at"]) < morning

    async def test_without_a_rota_every_channel_is_told(self, monitoring: Monitoring, hook: WebHook) -> None:
        await monitoring.add("chat", hook.url())
        page = await paged(monitoring)

        async def told() -> bool:
            return bool(hook.received)

        await eventually(told)

        assert page["calls"][0]["person_id"] is None
        assert b"Whoever reads this" in hook.received[0].body

    async def test_another_company_neither_sees_nor_takes_it(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook
    ) -> None:
        await set_rota(monitoring, box, hook)
        page, geneva = await paged(monitoring), monitoring.client(GENEVA)

        listed = (await geneva.get("/v1/oncall/pages")).json()["items"]
        taken = await geneva.post(f"/v1/oncall/pages/{page['page_id']}/acknowledge")

        assert (listed, taken.status_code) == ([], 404)


class TestLink:
    async def test_looking_takes_nothing_and_the_button_takes_it_without_a_login(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook
    ) -> None:
        await set_rota(monitoring, box, hook)
        page = await paged(monitoring, title="<b>down</b> & out")
        token = token_in(await mail(box))
        nobody: httpx.AsyncClient = monitoring.service.client()

        looked = await nobody.get("/v1/oncall/link", params={"token": token})
        still = (await monitoring.client().get(f"/v1/oncall/pages/{page['page_id']}")).json()
        pressed = await nobody.post("/v1/oncall/link", data={"token": token})
        shown = (await monitoring.client().get(f"/v1/oncall/pages/{page['page_id']}")).json()
        again = await nobody.get("/v1/oncall/link", params={"token": token})

        assert (looked.status_code, still["state"]) == (200, "open")
        assert "<button>" in looked.text
        assert "<b>" not in looked.text
        assert "default-src 'none'" in looked.headers["content-security-policy"]
        assert pressed.status_code == 200
        assert (shown["state"], shown["ended_by"][:7]) == ("acknowledged", "person:")
        assert "<button>" not in again.text

    @pytest.mark.parametrize("change", ["cut", "flip", "other", "empty", "old"])
    async def test_what_is_not_our_link_is_refused(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook, change: str
    ) -> None:
        await set_rota(monitoring, box, hook)
        page = await paged(monitoring)
        token = token_in(await mail(box))
        if change == "old":
            monitoring.clock.advance(86_401)
        other = await Links(monitoring.service.kernel.keyring, "").token(
            Link(GENEVA, UUID(page["page_id"]), None, monitoring.clock.now() + timedelta(hours=1))
        )
        flipped = token[:10] + ("A" if token[10] != "A" else "B") + token[11:]
        sent = {"cut": token[:-4], "flip": flipped, "other": other, "empty": "", "old": token}[change]

        pressed = await monitoring.service.client().post("/v1/oncall/link", data={"token": sent})
        shown = (await monitoring.client().get(f"/v1/oncall/pages/{page['page_id']}")).json()

        assert pressed.status_code == (404 if change == "other" else 403)
        assert "<button>" not in pressed.text
        assert shown["state"] == "open"


class TestIncidents:
    @pytest.fixture
    def paging(self, monitoring: Monitoring) -> PagingService:
        """The port that incidents use."""
        kernel = monitoring.service.kernel
        return compose(kernel, kernel.source.get(ServiceSettings)).paging

    async def request(self, monitoring: Monitoring, paging: PagingService, incident: UUID) -> None:
        async def work() -> None:
            await paging.request(
                incident_id=incident, priority=Priority.P1, title="creditx-service is down", summary="Ended.",
                runbook="service_unavailable", dedup_key=incident,
            )  # fmt: skip

        with context.scope(company_id=None):
            await monitoring.service.kernel.database.run(work)

    async def test_a_fault_that_needs_help_pages_once_and_whoever_takes_the_page_takes_the_incident(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook
    ) -> None:
        await set_rota(monitoring, box, hook, company=None)
        seen = fault(monitoring.clock.now(), runbook="service_unavailable")
        for _ in range(3):
            await tell(monitoring.service, seen, help_needed(seen.episode_id))
        await monitoring.harness.settle()
        text = await mail(box)
        operator = monitoring.client(None, SCOPES | {"incidents:read"})
        pressed = await monitoring.service.client().post("/v1/oncall/link", data={"token": token_in(text)})
        incident = (await operator.get("/v1/incidents")).json()["items"][0]
        pages = (await operator.get("/v1/oncall/pages")).json()["items"]

        assert pressed.status_code == 200
        assert "eco runbook service_unavailable" in text
        assert f"eco incidents show {incident['incident_id']}" in text
        assert incident["state"] == "acknowledged"
        assert [(page["state"], page["incident_id"]) for page in pages] == [("acknowledged", incident["incident_id"])]
        assert len(box.mails) == 1

    async def test_a_company_has_no_say_in_an_incident_that_its_page_names(
        self, monitoring: Monitoring, box: MailBox, hook: WebHook
    ) -> None:
        await set_rota(monitoring, box, hook)
        seen = fault(monitoring.clock.now())
        await tell(monitoring.service, seen)
        await monitoring.harness.settle()
        operator = monitoring.client(None, SCOPES | {"incidents:read"})
        incident = (await operator.get("/v1/incidents")).json()["items"][0]
        page = await paged(monitoring, incident_id=incident["incident_id"])

        taken = await monitoring.client().post(f"/v1/oncall/pages/{page['page_id']}/acknowledge")
        after = (await operator.get("/v1/incidents")).json()["items"][0]

        assert taken.json()["state"] == "acknowledged"
        assert after["state"] == "open"

    async def test_a_company_names_what_affects_it_or_the_public_status_and_nothing_else(
        self, monitoring: Monitoring, hook: WebHook
    ) -> None:
        now = monitoring.clock.now()
        mine = fault(now, companies=(ZURICH,), component="creditx-service")
        theirs = fault(now, companies=(GENEVA,), component="authn-service")
        public = fault(now, component="gateway-service")
        inner = fault(now, component="objects-service", severity=Severity.LOW)
        await tell(monitoring.service, mine, theirs, public, inner)
        await monitoring.harness.settle()
        ops = monitoring.client(None, SCOPES | {"incidents:read"})
        listed = await ops.get("/v1/incidents")
        ids = {one["component"]: one["incident_id"] for one in listed.json()["items"]}

        async def asked(client: httpx.AsyncClient, incident: str) -> Any:
            answer = await client.post("/v1/oncall/pages", json={"title": "Look", "incident_id": incident})
            return answer.status_code if answer.is_success else (answer.status_code, answer.json()["code"])

        unknown = (404, "incident_unknown")
        company, operator = monitoring.client(), monitoring.client(None)
        assert await asked(company, ids["creditx-service"]) == await asked(company, ids["gateway-service"]) == 202
        for incident in (ids["authn-service"], ids["objects-service"], str(uuid4())):
            assert await asked(company, incident) == unknown
        assert await asked(operator, ids["authn-service"]) == 202
        assert await asked(operator, str(uuid4())) == unknown

    @pytest.mark.parametrize(
        ("field", "words"), [("title", "x" * 201), ("summary", "x" * 501), ("summary", "http://x.ch " * 40)]
    )
    async def test_words_that_a_message_could_not_say_whole_are_refused(
        self, monitoring: Monitoring, field: str, words: str
    ) -> None:
        answer = await monitoring.client().post("/v1/oncall/pages", json={"title": "Look", field: words})

        assert answer.status_code == 422
        assert field in answer.text

    async def test_words_as_long_as_the_rule_are_carried_whole(self, monitoring: Monitoring, hook: WebHook) -> None:
        await monitoring.add("hook", hook.url())
        title, summary = "t" * 200, "s" * 500
        page = await paged(monitoring, title=title, summary=summary)

        async def told() -> bool:
            return bool(hook.received)

        await eventually(told)
        assert (page["title"], page["summary"]) == (title, summary)
        assert title in hook.received[0].body.decode()
        assert summary in hook.received[0].body.decode()

    @pytest.mark.parametrize(
        ("how", "state", "status", "said"),
        [("acknowledged", "acknowledged", 200, "It is taken already: by client-2, at "),
         ("closed", "withdrawn", 409, "Its incident is over since ")],
    )  # fmt: skip
    async def test_an_incident_that_somebody_looks_at_or_that_is_over_ends_its_page(
        self, monitoring: Monitoring, paging: PagingService, box: MailBox, hook: WebHook, how: str, state: str,
        status: int, said: str,
    ) -> None:  # fmt: skip
        await set_rota(monitoring, box, hook, company=None)
        incident = uuid4()
        await self.request(monitoring, paging, incident)
        await self.request(monitoring, paging, incident)

        async def work() -> None:
            await (paging.acknowledged(incident, "client-2") if how == "acknowledged" else paging.closed(incident))

        with context.scope(company_id=None):
            await monitoring.service.kernel.database.run(work)
        pages = (await monitoring.client(None).get("/v1/oncall/pages")).json()["items"]
        late = await monitoring.service.client().post("/v1/oncall/link", data={"token": token_in(await mail(box))})

        assert [page["state"] for page in pages] == [state]
        assert late.status_code == status
        assert said in late.text

    async def test_a_rolled_back_incident_pages_nobody(
        self, monitoring: Monitoring, paging: PagingService, box: MailBox, hook: WebHook
    ) -> None:
        await set_rota(monitoring, box, hook, company=None)

        async def work() -> None:
            await self.request(monitoring, paging, uuid4())
            raise LookupError

        with context.scope(company_id=None), pytest.raises(LookupError):
            await monitoring.service.kernel.database.run(work)
        pages = (await monitoring.client(None).get("/v1/oncall/pages")).json()["items"]
        waiting = monitoring.harness.platform.rows("select count(*) from monitoring.notifications")

        assert (pages, waiting) == ([], [(0,)])


async def test_who_lacks_the_scope_is_refused(monitoring: Monitoring) -> None:
    reader = monitoring.client(scopes=SCOPES - {"oncall:write", "notifications:write"})

    answers = [
        await reader.put("/v1/oncall", json={"text": "x"}),
        await reader.post("/v1/oncall/pages", json={"title": "x"}),
        await reader.post("/v1/notifications/channels", json={"name": "x", "url": "json://x.test"}),
    ]

    assert {answer.json()["code"] for answer in answers} == {"scope_missing"}
