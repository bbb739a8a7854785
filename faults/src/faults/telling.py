"""The part of the load that makes the platform owe messages to people, as clients of a company may."""

import random
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import uuid4

from faults.customers import Customer
from faults.journal import Journal
from faults.receivers import CHANNELS

Send = Callable[[], Awaitable[None]]
"""One request under its key, to be repeated until it has an answer."""
SPEAKS_AS = "campaign-agent"
"""The agent of the company that its client speaks as."""
MESSAGES_PER_UPLOAD = 0.4
_CHOICES = (CHANNELS[:1], CHANNELS[1:], CHANNELS)
_PAGES_SHARE = 0.25
TELL, PAGE = "POST /agent/handle", "POST /v1/oncall/pages"


class Telling:
    """Each message is about a word of its own, which its receiver finds in it again, and which is its key."""

    def __init__(self, journal: Journal, chance: random.Random) -> None:
        self._journal, self._chance = journal, chance

    def next(self, who: Customer) -> tuple[str, Send]:
        """What is asked, and the asking, which may be repeated."""
        about = f"campaign-{uuid4()}"
        paging = self._chance.random() < _PAGES_SHARE
        channels = CHANNELS if paging else self._chance.choice(_CHOICES)
        self._journal.write("to_tell", owner=who.company_id, about=about, channels=channels)
        if paging:
            return PAGE, partial(self._page, who, about)
        return TELL, partial(self._tell, who, about, channels)

    async def _tell(self, who: Customer, about: str, channels: tuple[str, ...]) -> None:
        task = {"title": about, "text": "Of the fault campaign.", "dedup_key": about, "channels": list(channels)}
        answer = await who.client.ask_agent(
            "notification-agent", "send_notification", task, from_agent_id=SPEAKS_AS, request_id=about
        )
        self._journal.write("told", about=about, ids=answer.result["notification_ids"], page=None)

    async def _page(self, who: Customer, about: str) -> None:
        page = await who.client.oncall.page(about, key=about.removeprefix("campaign-"))
        self._journal.write("told", about=about, ids=[], page=page.page_id)
