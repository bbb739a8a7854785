"""Goal: receivers take messages, or fail as they are told to, and the journal says which.

Method: senders of the standard library, smtplib and urllib.
"""

import asyncio
import json
import smtplib
import urllib.request
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from faults.journal import Arrival, Journal
from faults.receivers import Receivers
from tests.faults.under_way import FOR_EVER_SECONDS, under_way
from tests.support.poll import PATIENCE_SECONDS

ABOUT, ID = f"campaign-{'a' * 36}", "b" * 36
LITTLE_PATIENCE_SECONDS = 0.5


class Sender:
    """Sends the same message to both; says whether it was taken, as far as a sender can know."""

    def __init__(self, receivers: Receivers, journal: Journal) -> None:
        self.receivers, self._journal = receivers, journal
        self.patience_seconds = PATIENCE_SECONDS
        self._ports = {name: urlsplit(url).port or 0 for name, url in receivers.addresses("company-1").items()}

    async def send(self) -> dict[str, bool]:
        hook, mail = await asyncio.gather(asyncio.to_thread(self._post), asyncio.to_thread(self._mail))
        return {"hook": hook, "mail": mail}

    def _post(self) -> bool:
        body = json.dumps({"title": ABOUT, "message": f"Hello.\n\nMessage {ID}"}).encode()
        url = f"http://127.0.0.1:{self._ports['hook']}/company-1"
        request = urllib.request.Request(url, body, {"X-Ecosystem-Message": ID}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=self.patience_seconds) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _mail(self) -> bool:
        mail = EmailMessage()
        mail["from"], mail["to"] = "eco@platform.test", "company-1@people.test"
        mail["subject"], mail["X-Ecosystem-Message"] = ABOUT, ID
        mail.set_content(f".A line with a dot before it.\n\nMessage {ID}")
        try:
            with smtplib.SMTP("127.0.0.1", self._ports["mail"], timeout=self.patience_seconds) as server:
                return not server.send_message(mail)
        except (OSError, smtplib.SMTPException):
            return False

    def arrivals(self) -> list[Arrival]:
        return sorted(self._journal.read().arrivals, key=lambda one: one.channel)


@pytest.fixture
async def sender(tmp_path: Path) -> AsyncIterator[Sender]:
    journal = Journal(tmp_path / "journal")
    receivers = Receivers(journal)
    await receivers.listen()
    yield Sender(receivers, journal)
    await receivers.close()
    journal.close()


def arrived(channel: str, *, taken: bool = True) -> Arrival:
    return Arrival("company-1", channel, ABOUT, [ID], taken, ABOUT)


async def test_a_message_is_taken_and_written_down(sender: Sender) -> None:
    assert await sender.send() == {"hook": True, "mail": True}
    assert sender.arrivals() == [arrived("hook"), arrived("mail")]


@pytest.mark.parametrize(("how", "read"), [
    ("refuse", [arrived("hook", taken=False), arrived("mail", taken=False)]),
    ("drop", [arrived("hook"), arrived("mail")]),
    ("reset", []), ("half-open", []), ("stop", []),
])  # fmt: skip
async def test_they_fail_and_are_well_again(sender: Sender, how: str, read: list[Arrival]) -> None:
    async with under_way(sender.receivers.fail(how, "", FOR_EVER_SECONDS)):
        sender.patience_seconds = LITTLE_PATIENCE_SECONDS if how == "half-open" else PATIENCE_SECONDS
        assert await sender.send() == {"hook": False, "mail": False}
        assert sender.arrivals() == read

    sender.patience_seconds = PATIENCE_SECONDS
    assert await sender.send() == {"hook": True, "mail": True}


async def test_one_may_fail_alone(sender: Sender) -> None:
    async with under_way(sender.receivers.fail("refuse", "mail", FOR_EVER_SECONDS)):
        assert await sender.send() == {"hook": True, "mail": False}


async def test_two_that_stop_one_at_once_leave_it_well(sender: Sender) -> None:
    await asyncio.gather(sender.receivers.fail("stop", "hook", 0.1), sender.receivers.fail("stop", "", 0.3))

    assert await sender.send() == {"hook": True, "mail": True}
