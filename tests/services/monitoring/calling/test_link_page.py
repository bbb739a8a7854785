"""Goal: whoever opens the link of a page reads who has taken it and when. Method: the real service, links out of real
mails and webhooks, and a parser that sees the answer as a screen reader would.
"""

import json
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from tests.services.monitoring.calling.fixtures import Monitoring
from tests.services.monitoring.calling.test_paging import mail, paged, set_rota, token_in
from tests.support.poll import eventually
from tests.support.providers import MailBox, WebHook

HOSTILE = "Ben </p><script>alert(1)</script>\u202e"


class Read(HTMLParser):
    """The tags of a page, balanced, with their attributes, and the text that it says."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, dict[str, str | None]] = {}
        self.said = ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes[tag] = dict(attrs)
        if tag not in ("meta", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.said += data


async def pressed(monitoring: Monitoring, token: str) -> httpx.Response:
    nobody: httpx.AsyncClient = monitoring.service.client()
    return await nobody.post("/v1/oncall/link", data={"token": token})


async def looked(monitoring: Monitoring, token: str) -> Read:
    answer = await monitoring.service.client().get("/v1/oncall/link", params={"token": token})
    assert answer.status_code == 200
    return Read(answer.text)


async def heard(hook: WebHook) -> str:
    async def look() -> bool:
        return bool(hook.received)

    await eventually(look)
    return token_in(str(json.loads(hook.received[0].body)["message"]))


async def both_called(monitoring: Monitoring, box: MailBox, hook: WebHook) -> tuple[Any, str, str]:
    """A page that has climbed, and the tokens of amy, who was called first, and of ben."""
    await set_rota(monitoring, box, hook, ben_name=HOSTILE)
    page = await paged(monitoring)
    amy = token_in(await mail(box))
    monitoring.clock.advance(301)
    await monitoring.climb()
    return page, amy, await heard(hook)


async def test_the_first_to_press_has_taken_it_and_is_told_so_again(
    monitoring: Monitoring, box: MailBox, hook: WebHook
) -> None:
    await set_rota(monitoring, box, hook)
    page = await paged(monitoring)
    token = token_in(await mail(box))
    first, second = await pressed(monitoring, token), await pressed(monitoring, token)
    again = await looked(monitoring, token)
    ended_at = (await monitoring.client().get(f"/v1/oncall/pages/{page['page_id']}")).json()["ended_at"]
    at = f"{ended_at[:10]} {ended_at[11:19]}Z"

    assert f"You have taken it, at {at}. Nobody else is called." in Read(first.text).said
    assert f"You have already taken it, at {at}." in Read(second.text).said
    assert f"You have already taken it, at {at}." in again.said
    assert "button" not in again.tags


async def test_whoever_comes_later_reads_who_took_it_and_when_and_changes_nothing(
    monitoring: Monitoring, box: MailBox, hook: WebHook
) -> None:
    page, amy, ben = await both_called(monitoring, box, hook)
    await pressed(monitoring, ben)
    before = (await monitoring.client().get(f"/v1/oncall/pages/{page['page_id']}")).json()
    late = await pressed(monitoring, amy)
    after = (await monitoring.client().get(f"/v1/oncall/pages/{page['page_id']}")).json()
    read = Read(late.text)

    at = f"{after['ended_at'][:10]} {after['ended_at'][11:19]}Z"
    assert f"It is taken already: by Ben ‹/p›‹script›alert(1)‹/script›, at {at}." in read.said
    assert "script" not in read.tags
    assert "\u202e" not in late.text
    assert (after["ended_by"], after["ended_at"]) == (before["ended_by"], before["ended_at"])
    assert late.status_code == 200


async def test_who_took_it_by_the_api_is_named_by_its_id(monitoring: Monitoring, box: MailBox, hook: WebHook) -> None:
    await set_rota(monitoring, box, hook)
    page = await paged(monitoring)
    token = token_in(await mail(box))
    await monitoring.client().post(f"/v1/oncall/pages/{page['page_id']}/acknowledge")

    assert "It is taken already: by client-1, at " in (await looked(monitoring, token)).said


async def test_who_took_it_and_left_the_rota_has_no_name_any_more(
    monitoring: Monitoring, box: MailBox, hook: WebHook
) -> None:
    _, amy, ben = await both_called(monitoring, box, hook)
    await pressed(monitoring, ben)
    only_amy = f'time_zone: UTC\npeople:\n  amy: {{name: Amy, notify: ["{box.url()}"]}}\nlevels:\n  - people: [amy]\n'
    assert (await monitoring.client().put("/v1/oncall", json={"text": only_amy})).status_code == 200

    assert "by somebody who is not on the rota any more" in (await looked(monitoring, amy)).said


async def test_without_a_rota_whoever_reads_the_channel_is_told_who_was_first(
    monitoring: Monitoring, hook: WebHook
) -> None:
    await monitoring.add("chat", hook.url())
    await paged(monitoring)
    token = await heard(hook)
    first, second = await pressed(monitoring, token), await pressed(monitoring, token)

    assert "You have taken it, at " in Read(first.text).said
    assert "It is taken already: by somebody who reads a channel, at " in Read(second.text).said


@pytest.mark.parametrize("title", ["creditx is down", '"><img src=x onerror=alert(1)> & <!channel>'])
async def test_it_can_be_read_without_eyes_and_obeys_no_text(
    monitoring: Monitoring, box: MailBox, hook: WebHook, title: str
) -> None:
    await set_rota(monitoring, box, hook)
    await paged(monitoring, title=title, summary=title)
    token = token_in(await mail(box))
    open_, taken = await looked(monitoring, token), Read((await pressed(monitoring, token)).text)

    assert set(open_.tags) <= {
        "html", "head", "meta", "title", "style", "body", "main", "h1", "p", "form", "input", "button",
    }  # fmt: skip
    assert open_.attributes["html"] == {"lang": "en"}
    assert (open_.tags.count("h1"), open_.tags.count("main"), open_.tags.count("title")) == (1, 1, 1)
    assert open_.said.startswith("Not taken yet: P1 ")
    assert taken.said.startswith("Taken: P1 ")
    assert {"role": "status"} in [taken.attributes["p"]]
    assert "time" in taken.tags
