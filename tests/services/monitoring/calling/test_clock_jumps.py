"""Goal: a clock that is set, forwards or back, keeps no page from climbing and no message from going out, and calls
nobody twice. Method: the time of day jumps under the real service; the messages go to a real web server."""

from datetime import datetime

import pytest

from tests.services.monitoring.calling.fixtures import Monitoring
from tests.services.monitoring.calling.test_paging import paged, set_rota
from tests.services.monitoring.notifying.test_sending import said
from tests.support.poll import eventually
from tests.support.providers import MailBox, WebHook

HOURS = 3600.0


def levels(monitoring: Monitoring) -> list[int]:
    rows = monitoring.harness.platform.rows("select level from monitoring.page_calls order by number")
    return [level for (level,) in rows]


@pytest.mark.parametrize("jump_seconds", [-26 * HOURS, -2 * HOURS, 2 * HOURS, 30 * 24 * HOURS])
async def test_a_page_climbs_by_one_level_and_no_further(
    monitoring: Monitoring, box: MailBox, hook: WebHook, jump_seconds: float
) -> None:
    await set_rota(monitoring, box, hook)
    await paged(monitoring)
    monitoring.clock.advance(jump_seconds)
    for _ in range(3):
        await monitoring.climb()

    assert levels(monitoring) == [0, 1]


@pytest.mark.parametrize("jump_seconds", [-26 * HOURS, 26 * HOURS])
async def test_who_is_on_call_is_who_is_so_at_the_present_time(
    monitoring: Monitoring, box: MailBox, hook: WebHook, jump_seconds: float
) -> None:
    await set_rota(monitoring, box, hook)
    client = monitoring.client()
    monitoring.clock.advance(jump_seconds)
    shown = (await client.get("/v1/oncall")).json()

    assert [one["person"]["name"] for one in shown["on_call"]] == ["Amy Muster", "Ben Muster"]
    assert abs((datetime.fromisoformat(shown["as_of"]) - monitoring.clock.now()).total_seconds()) < 60


async def test_a_message_from_the_future_swallows_none_of_now(monitoring: Monitoring, hook: WebHook) -> None:
    await monitoring.add("chat", hook.url())
    first = await said(monitoring)
    await monitoring.ended(str(first.notification_ids[0]))
    monitoring.clock.advance(-26 * HOURS)

    second = await said(monitoring)
    await monitoring.ended(str(second.notification_ids[0]))

    assert second.notification_ids != first.notification_ids
    assert len(hook.received) == 2


async def test_a_message_that_waits_goes_out_though_its_time_is_far_away_now(
    monitoring: Monitoring, hook: WebHook
) -> None:
    hook.answers = ["503"]
    await monitoring.add("chat", hook.url())
    queued = await said(monitoring)
    await eventually(lambda: _tried(hook))
    monitoring.clock.advance(-26 * HOURS)

    sent = await monitoring.ended(str(queued.notification_ids[0]))

    assert (sent["state"], sent["attempts"]) == ("sent", 2)


async def _tried(hook: WebHook) -> bool:
    return len(hook.received) >= 1
