"""Goal: a delivery reaches what it may and nothing else. Method: the courier in its process, against servers here."""

from collections.abc import AsyncIterator

import orjson
import pytest

from ecosystem.kernel.sandbox.errors import SandboxError
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.kernel.sandbox.settings import SandboxSettings
from ecosystem.services.monitoring.notifying.adapters import Apprise
from ecosystem.services.monitoring.notifying.model import Outcome, Text
from tests.support.providers import MailBox, WebHook

TEXT = Text("A title", "A body")


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(SandboxSettings().heavy())
    yield sandbox
    await sandbox.close()


async def sent(sandbox: Sandbox, url: str, *networks: str, text: Text = TEXT) -> Outcome:
    return await Apprise(sandbox, networks or ("127.0.0.0/8",), 10).send(url, text, "id-1")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "127.1", "2130706433"])
async def test_what_stands_beside_us_hears_nothing(sandbox: Sandbox, hook: WebHook, host: str) -> None:
    outcome = await sent(sandbox, hook.url(host=host), "192.0.2.0/24")

    assert (outcome.sent, hook.received) == (False, [])


async def test_it_is_the_address_of_the_connection_that_counts(sandbox: Sandbox, hook: WebHook) -> None:
    refused = await sent(sandbox, hook.url(host="localhost"), "192.0.2.0/24")
    allowed = await sent(sandbox, hook.url(host="localhost"))

    assert (refused.problem, refused.final, allowed.sent) == ("address_refused", True, True)


@pytest.mark.parametrize(
    "url",
    [
        "fcm://project@apikey/#topic/?mode=oauth2&keyfile=/etc/hostname",
        "vapid://me@people.test/you@people.test?keyfile=/etc/hostname&subfile=/etc/hostname",
        "syslog://", "dbus://", "gnome://", "windows://", "macosx://", "file:///etc/hostname", "nonsense://x",
    ],
)  # fmt: skip
async def test_an_address_opens_neither_a_file_nor_the_desktop(sandbox: Sandbox, url: str) -> None:
    outcome = await sent(sandbox, url)

    assert not outcome.sent
    assert outcome.final


async def test_a_mail_keeps_its_headers_whatever_its_title(sandbox: Sandbox, box: MailBox) -> None:
    outcome = await sent(sandbox, box.url(), text=Text("Up\nBcc: all@world.test", "Body\n.\nQUIT"))

    assert outcome.sent or box.mails == []
    assert all(mail["bcc"] is None for mail in box.mails)


@pytest.mark.parametrize(("answer", "problem"), [("503", "http_503"), ("404", "http_404"), ("304", "http_304")])
async def test_a_refusal_is_a_coded_word(sandbox: Sandbox, hook: WebHook, answer: str, problem: str) -> None:
    hook.answers = [answer]

    outcome = await sent(sandbox, hook.url())

    assert (outcome.sent, outcome.problem, outcome.final) == (False, problem, False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("scheme", ["json", "form", "xml"])
async def test_a_redirect_is_neither_followed_nor_tried_again(
    sandbox: Sandbox, hook: WebHook, status: int, scheme: str
) -> None:
    hook.answers = [f"redirect {status}:http://127.0.0.1:{hook.port}/elsewhere"]

    outcome = await sent(sandbox, hook.url().replace("json", scheme, 1))

    assert outcome == Outcome(False, "redirected", final=True)
    assert [one.path for one in hook.received] == ["/hook"]


async def test_nobody_there_is_tried_again(sandbox: Sandbox) -> None:
    outcome = await sent(sandbox, "json://127.0.0.1:9/x")

    assert (outcome.sent, outcome.final) == (False, False)


async def test_an_answer_that_drips_for_ever_is_cut(sandbox: Sandbox, hook: WebHook) -> None:
    hook.answers = ["drip"]

    outcome = await Apprise(sandbox, ("127.0.0.0/8",), 2).send(hook.url(), TEXT, "id-1")

    assert (outcome.sent, outcome.problem) == (False, "no_answer_in_time")


async def test_a_job_of_another_kind_stays_without_network(sandbox: Sandbox, hook: WebHook) -> None:
    job = {"url": hook.url(), "title": "t", "body": "b", "message_id": "m", "allowed": ["127.0.0.0/8"]}
    with pytest.raises(SandboxError):
        await sandbox.run(
            "ecosystem.services.monitoring.notifying.courier:send", orjson.dumps(job), timeout_seconds=5,
            memory_bytes_max=256 << 20,
        )  # fmt: skip

    assert hook.received == []
