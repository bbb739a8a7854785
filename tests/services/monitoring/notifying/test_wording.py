"""Goal: hostile words stay words. Method: what attackers write into a title, through every template."""

import unicodedata
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ecosystem.contracts.recovery import FaultKind, FaultObserved
from ecosystem.kernel.errors import Severity
from ecosystem.kernel.testing.clock import NOON
from ecosystem.services.monitoring.errors import TemplateUnknown
from ecosystem.services.monitoring.incidents.model import Responding, begun
from ecosystem.services.monitoring.notifying.model import Text
from ecosystem.services.monitoring.notifying.wording import BODY_CHARACTERS_MAX, TITLE_CHARACTERS_MAX, plain, written

HOSTILE = (
    "disk full\r\nBcc: everybody@world.test\r\n\r\nHello", "$link ${link} $$ %(link)s {link} {{ 7*7 }} {% raw %}",
    "<!channel> <@U123> @everyone", "<script>alert(1)</script>", "[click](https://evil.test/)",
    "\u202etxt.exe \u2066hidden\u2069 \x1b[2J\x07", "javascript:alert(1) mailto:a@b.test", "a" * 100_000, "\ud800",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_a_message_keeps_its_shape(text: str) -> None:
    message = written(
        "page", {"priority": "P1", "title": text, "summary": text, "person": text, "page": "p", "level": 1,
                 "minutes": 5},
        links={"link": "https://edge.test/v1/oncall/link?token=x"}, reference="id-1",
    )  # fmt: skip
    whole = f"{message.title}\n{message.body}"

    assert "\n" not in message.title
    assert len(message.title) <= TITLE_CHARACTERS_MAX
    assert len(message.body) <= BODY_CHARACTERS_MAX + 40
    assert whole.count("https://") == 1
    assert not any(mark in whole for mark in ("<", ">", "@", "49", "\x1b", "\u202e", "](", "javascript:"))
    assert message.body.endswith("Message id-1")


@given(some.text(max_size=3000))
def test_a_value_is_one_bounded_line_without_signs_that_hide(text: str) -> None:
    value = plain(text, 200)

    assert len(value) <= 200
    assert not any(unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") for sign in value)
    assert plain(value, 200) == value


def test_a_line_without_its_value_is_left_out() -> None:
    message = written("page", {"priority": "P2", "title": "Slow", "page": "p", "level": 1, "minutes": 5, "summary": ""})

    assert "Runbook" not in message.body
    assert "Incident" not in message.body
    assert "$" not in message.body


def test_a_title_that_is_too_long_ends_at_a_word_and_stands_whole_in_the_text() -> None:
    title = "The nightly export has not reached the archive in Geneva, and " + "the one before it too, and " * 4
    title = title.strip()
    message = written("message", {"title": title, "text": "Look at it."})

    assert message.title.endswith("and the one before it too, and the…")
    assert len(message.title) <= TITLE_CHARACTERS_MAX
    assert message.body == f"{title}\nLook at it."


def test_a_title_that_fits_stands_once() -> None:
    assert written("message", {"title": "Disk is full", "text": "Look."}) == Text("Disk is full", "Look.")


def test_what_a_message_is_about_is_not_cut_like_a_value() -> None:
    text = "Step by step. " * 150

    assert written("message", {"title": "Look", "text": text}).body == text.strip()
    assert written("message", {"title": "Look", "text": text * 2}).body.endswith(" by step. Step…")


@pytest.mark.parametrize("fault", FaultKind)
def test_component_and_fault_are_in_the_title_of_every_page(fault: FaultKind) -> None:
    seen = FaultObserved(
        episode_id=UUID(int=1), fault=fault, component="route:" + "a-long-name-of-an-agent " * 20, cause="it is wrong",
        severity=Severity.HIGH, observed_at=NOON,
    )  # fmt: skip
    incident = begun(seen, (), UUID(int=2), NOON, Responding(ZoneInfo("UTC")))
    title = written("page", {"priority": incident.priority, "title": incident.title}).title

    assert title.startswith("P2 route:a-long-name-of-an-agent")
    assert title.endswith(f": {fault.replace('_', ' ')}")


def test_a_template_that_there_is_not_is_refused() -> None:
    with pytest.raises(TemplateUnknown):
        written("../../etc/passwd", {})
