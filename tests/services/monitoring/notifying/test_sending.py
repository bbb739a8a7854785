"""Goal: a message reaches people once, whatever providers do. Method: the real service, a real web and mail server."""

import asyncio
import json
from typing import Any

import pytest

from ecosystem.contracts.monitoring import FindNotification, NotificationFound, NotificationsQueued, SendNotification
from ecosystem.kernel.testing.harness import ServiceHarness
from ecosystem.services.monitoring.app import build
from ecosystem.services.monitoring.notifying.repository import Claimed, Outbox
from tests.services.monitoring.calling.fixtures import GENEVA, ZURICH, Monitoring
from tests.support.poll import eventually
from tests.support.providers import MailBox, WebHook


async def said(monitoring: Monitoring, title: str = "Disk is full", **more: object) -> NotificationsQueued:
    task = SendNotification.model_validate({"title": title, "text": "Look at it.", "dedup_key": title} | more)
    answer = await monitoring.harness.call(
        task, to="notification-agent", sender="orchestrator-agent", company_id=ZURICH
    )  # fmt: skip
    assert isinstance(answer, NotificationsQueued)
    return answer


class TestDelivery:
    async def test_a_mail_arrives_with_the_stable_id_of_its_message(self, monitoring: Monitoring, box: MailBox) -> None:
        await monitoring.add("ops", box.url())
        queued = await said(monitoring)

        sent = await monitoring.ended(str(queued.notification_ids[0]))

        assert sent["state"] == "sent", sent
        assert box.mails[0]["subject"] == "Disk is full"
        assert box.mails[0]["X-Ecosystem-Message"] == str(queued.notification_ids[0])
        assert f"Message {queued.notification_ids[0]}" in str(box.mails[0])

    async def test_a_webhook_hears_it_and_the_agent_says_so(self, monitoring: Monitoring, hook: WebHook) -> None:
        await monitoring.add("chat", hook.url())
        queued = await said(monitoring)
        await monitoring.ended(str(queued.notification_ids[0]))

        found = await monitoring.harness.call(
            FindNotification(notification_id=queued.notification_ids[0]), to="notification-agent",
            sender="orchestrator-agent", company_id=ZURICH,
        )  # fmt: skip

        assert isinstance(found, NotificationFound)
        assert (found.state, found.attempts, found.channel) == ("sent", 1, "chat")
        assert json.loads(hook.received[0].body)["title"] == "Disk is full"
        assert "notification_sent" in monitoring.audited()

    async def test_a_provider_that_is_down_hears_it_when_it_is_back(
        self, monitoring: Monitoring, hook: WebHook
    ) -> None:  # fmt: skip
        hook.answers = ["503", "500"]
        await monitoring.add("chat", hook.url())
        queued = await said(monitoring)

        sent = await monitoring.ended(str(queued.notification_ids[0]), hasten=True)

        assert (sent["state"], sent["attempts"]) == ("sent", 3)
        assert {one.headers["X-Ecosystem-Message"] for one in hook.received} == {str(queued.notification_ids[0])}

    @pytest.mark.parametrize("delivery_seconds", [1.5])
    async def test_an_answer_of_ten_megabytes_and_one_that_never_ends_hold_nothing_up(
        self, monitoring: Monitoring, hook: WebHook, box: MailBox
    ) -> None:
        hook.answers = ["big", "drip", "never"]
        await monitoring.add("a-chat", hook.url())
        await monitoring.add("mail", box.url())
        first = await said(monitoring, "One")
        await monitoring.ended(str(first.notification_ids[0]), hasten=True)
        second = await said(monitoring, "Two")

        ended = [await monitoring.ended(str(one), hasten=True) for one in second.notification_ids]

        assert [one["state"] for one in ended] == ["sent", "sent"]
        assert len({mail["X-Ecosystem-Message"] for mail in box.mails}) == 2

    async def test_what_cannot_be_sent_fails_for_good_with_a_coded_word(
        self, monitoring: Monitoring, hook: WebHook
    ) -> None:
        await monitoring.add("meta", "json://169.254.169.254/latest")
        queued = await said(monitoring)

        failed = await monitoring.ended(str(queued.notification_ids[0]))

        assert (failed["state"], failed["problem"], failed["attempts"]) == ("failed", "address_refused", 1)
        assert "notification_failed" in monitoring.audited()

    async def test_a_redirect_is_no_outage_and_says_what_to_do(self, monitoring: Monitoring, hook: WebHook) -> None:
        hook.answers = [f"redirect 307:http://127.0.0.1:{hook.port}/elsewhere"]
        await monitoring.add("chat", hook.url())
        queued = await said(monitoring)

        failed = await monitoring.ended(str(queued.notification_ids[0]))

        assert (failed["state"], failed["problem"], failed["attempts"]) == ("failed", "redirected", 1)
        assert failed["reason"].endswith("give the final address")
        assert [one.path for one in hook.received] == ["/hook"]

    async def test_two_replicas_send_it_once(self, monitoring: Monitoring, hook: WebHook) -> None:
        other: ServiceHarness = await monitoring.harness.service(build, "monitoring-service", "monitoring")
        stop = asyncio.Event()
        works = [asyncio.ensure_future(run(stop)) for run in other.service.background]
        await monitoring.add("chat", hook.url())

        for number in range(6):
            queued = await said(monitoring, f"Number {number}")
            await monitoring.ended(str(queued.notification_ids[0]))
        stop.set()
        await asyncio.gather(*works)

        titles = [json.loads(one.body)["title"] for one in hook.received]
        assert sorted(titles) == [f"Number {number}" for number in range(6)]

    async def test_what_a_dead_replica_held_is_sent_after_its_lease(
        self, monitoring: Monitoring, hook: WebHook
    ) -> None:
        await monitoring.add("chat", hook.url())
        hook.answers = ["503"]
        queued = await said(monitoring)
        await eventually(lambda: _received(hook, 1))
        # As a replica leaves it that was killed between claim and end.
        monitoring.harness.platform.rows(
            "update monitoring.notifications set state = 'sending', lease = gen_random_uuid(),"
            " due_at = now() + interval '2 minutes' returning 1"
        )
        monitoring.clock.advance(180)

        sent = await monitoring.ended(str(queued.notification_ids[0]))

        assert sent["state"] == "sent"

    async def test_a_replica_whose_lease_ended_while_it_claimed_leaves_it_to_who_comes_next(
        self, monitoring: Monitoring, hook: WebHook, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await monitoring.add("chat", hook.url())
        claim, claims = Outbox.claim, 0

        async def late(outbox: Outbox, *values: Any) -> list[Claimed]:
            nonlocal claims
            claims += 1
            if claims == 1:
                monitoring.clock.advance(301)
            return await claim(outbox, *values)

        monkeypatch.setattr(Outbox, "claim", late)
        queued = await said(monitoring)
        sent = await monitoring.ended(str(queued.notification_ids[0]))

        assert (sent["state"], sent["attempts"], len(hook.received)) == ("sent", 2, 1)


async def _received(hook: WebHook, times: int) -> bool:
    return len(hook.received) >= times


class TestOnce:
    async def test_a_storm_of_equal_messages_is_said_once_and_counted(
        self, monitoring: Monitoring, hook: WebHook
    ) -> None:
        await monitoring.add("chat", hook.url())

        queued = [await said(monitoring) for _ in range(30)]
        shown = await monitoring.ended(str(queued[0].notification_ids[0]))

        assert {one.notification_ids for one in queued} == {queued[0].notification_ids}
        assert (shown["repeats"], len(hook.received)) == (29, 1)

    async def test_after_the_window_it_is_said_again(self, monitoring: Monitoring, hook: WebHook) -> None:
        await monitoring.add("chat", hook.url())
        first = await said(monitoring)
        await monitoring.ended(str(first.notification_ids[0]))

        monitoring.clock.advance(301)
        second = await said(monitoring)
        await monitoring.ended(str(second.notification_ids[0]))

        assert second.notification_ids != first.notification_ids
        assert len(hook.received) == 2


class TestQuietHours:
    async def test_what_is_not_urgent_waits_and_what_is_urgent_does_not(
        self, monitoring: Monitoring, hook: WebHook
    ) -> None:
        now = monitoring.clock.now()
        quiet = f"{now:%H}:00-{(now.hour + 2) % 24:02}:00"
        await monitoring.add("night", hook.url(), quiet_hours=quiet, time_zone="UTC")

        calm, urgent = await said(monitoring, "Calm"), await said(monitoring, "Urgent", urgent=True)
        await monitoring.ended(str(urgent.notification_ids[0]))
        waiting = (await monitoring.client().get(f"/v1/notifications/{calm.notification_ids[0]}")).json()

        assert waiting["state"] == "waiting"
        assert [json.loads(one.body)["title"] for one in hook.received] == ["Urgent"]

        monitoring.clock.advance(2 * 3600)
        assert (await monitoring.ended(str(calm.notification_ids[0])))["state"] == "sent"


class TestSecrets:
    async def test_no_answer_event_or_row_holds_an_address(self, monitoring: Monitoring, hook: WebHook) -> None:
        url = f"{hook.url('t0ps3cret')}"
        shown = await monitoring.add("chat", url)
        queued = await said(monitoring)
        await monitoring.ended(str(queued.notification_ids[0]))
        listed = (await monitoring.client().get("/v1/notifications/channels")).text
        events = json.dumps([str(event) for event in monitoring.harness.events()])
        rows = str(monitoring.harness.platform.rows("select c::text from monitoring.channels c"))

        assert "t0ps3cret" not in str(shown) + listed + events + rows
        assert hook.received[0].path == "/t0ps3cret"

    async def test_a_refused_address_is_not_repeated(self, monitoring: Monitoring) -> None:
        answer = await monitoring.client().post(
            "/v1/notifications/channels", json={"name": "chat", "url": "nonsense://t0ps3cret"}
        )

        assert (answer.status_code, answer.json()["code"]) == (422, "channel_refused")
        assert "t0ps3cret" not in answer.text

    async def test_another_company_sees_neither_channels_nor_messages(
        self, monitoring: Monitoring, hook: WebHook
    ) -> None:
        await monitoring.add("chat", hook.url())
        queued = await said(monitoring)
        geneva = monitoring.client(GENEVA)

        listed = (await geneva.get("/v1/notifications")).json()["items"]
        shown = await geneva.get(f"/v1/notifications/{queued.notification_ids[0]}")

        assert (listed, shown.status_code) == ([], 404)

    async def test_a_removed_channel_forgets_its_address(self, monitoring: Monitoring, hook: WebHook) -> None:
        await monitoring.add("chat", hook.url())

        removed = await monitoring.client().delete("/v1/notifications/channels/chat")
        again = await monitoring.client().delete("/v1/notifications/channels/chat")
        rows = monitoring.harness.platform.rows("select length(sealed_url) from monitoring.channels")

        assert (removed.status_code, again.status_code, rows) == (204, 404, [(0,)])
