"""Goal: what is written about an incident holds all that is recorded, and nothing in it can pass for more.

Method: real incidents by HTTP; Markdown parsed by another's parser over hostile words made up by Hypothesis.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ecosystem.kernel.http.pagination import encode_cursor
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.monitoring.incidents.model import Line, What
from ecosystem.services.monitoring.incidents.postmortem import FollowUp, Written, escaped, markdown
from ecosystem.services.monitoring.incidents.reading import Story
from ecosystem.services.monitoring.incidents.ticket import ticket
from tests.services.monitoring import test_model
from tests.services.monitoring.conftest import OPERATOR, cleared, fault, repair, tell

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script>", "[click](https://evil.example)", "# Not a heading", "{{ 7 * 7 }} {% raise %} ${7*7}",
    "| a | b |", "```\ncode", "![x](javascript:alert(1))", "https://evil.example/", "1. one", "- one", "> quoted",
    "***", "&lt;script&gt;", "<!-- -->", "a\n\n## Timeline\n\n- forged", "\\<b>", "=====", "~~~", "+ one",
    "&#60;b&#62;",
)  # fmt: skip


def a_story(words: str) -> Story:
    incident = test_model.model.begun(fault(NOON), (), uuid4(), NOON, test_model.ZURICH_TIME)
    incident = replace(incident, number=7, cause=words, runbook=words, trace_ids=(words,), closed_by=words)
    return Story(incident, (), [Line(NOON, What.OPENED, words), Line(NOON, What.REPAIR, words, words)])


def shape(text: str) -> list[tuple[str, str]]:
    """What a parser of Markdown makes of it, without its words."""
    parser = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table")
    tokens = parser.parse(text)
    flat = [one for token in tokens for one in (token, *(token.children or ()))]
    return [(token.type, token.tag) for token in flat if token.type not in ("text", "softbreak", "text_special")]


def words_of(text: str) -> str:
    tokens = MarkdownIt("commonmark").parse(text)
    return "".join(child.content for token in tokens for child in token.children or ())


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_change_no_shape(words: str) -> None:
    written = Written(words, (words,), (FollowUp(words, words),), (words,))
    harmless = Written("x", ("x",), (FollowUp("x", "x"),), ("x",))

    assert shape(markdown(a_story(words), written)) == shape(markdown(a_story("x"), harmless))


HIDDEN = "a\x1b[2J\x9b31m\u202etxt.exe\u2066\u200b\x07\r\nz\u2028\u2029\ud800"


def test_signs_that_hide_turn_or_command_do_not_reach_a_document() -> None:
    written = Written(HIDDEN, (HIDDEN,), (FollowUp(HIDDEN, HIDDEN),), (HIDDEN,))
    fields = ticket(a_story(HIDDEN), "OPS")["fields"]

    for text in (markdown(a_story(HIDDEN), written), str(fields["description"]), fields["summary"]):
        assert {sign for sign in text if not sign.isprintable()} <= {"\n"}


@given(st.text(alphabet=st.sampled_from("ab1. \\`*_{}[]()#+-!|<>&;\n~$^=:@/\"'"), min_size=1, max_size=40))
def test_a_line_shows_exactly_its_words(words: str) -> None:
    line = escaped(words)

    assert shape(f"- a {line} z") == shape("- a z")
    assert shape(f"# a {line}") == shape("# a z")
    if line:
        assert shape(f"a\n\n{line}\n\nz") == shape("a\n\nb\n\nz")
        assert shape(f"- {line}") == shape("- z")
        assert shape(f"| a | b |\n|---|---|\n| {line} | c |") == shape("| a | b |\n|---|---|\n| z | c |")
    assert " ".join(words_of(f"a {line} z").split()) == " ".join(f"a {words} z".split())


@given(st.text(max_size=300))
def test_a_ticket_is_text_in_nodes_whatever_the_words_are(words: str) -> None:
    fields = ticket(a_story(words), "OPS")["fields"]

    def texts(node: Any) -> list[str]:
        assert set(node) <= {"type", "content", "text", "version", "attrs"}
        inner = [text for child in node.get("content", ()) for text in texts(child)]
        return [*inner, *([node["text"]] if node["type"] == "text" else [])]

    assert all(text.isprintable() and text for text in texts(fields["description"]))
    assert (fields["priority"], fields["project"], len(fields["summary"]) <= 255) == (
        {"name": "High"}, {"key": "OPS"}, True,
    )  # fmt: skip


@pytest.fixture
async def over(harness: KernelHarness, monitoring: ServiceHarness, clock: FrozenClock) -> ServiceHarness:
    """One incident that was repaired."""
    episode, now = uuid4(), clock.now()
    await tell(monitoring, fault(now, episode, trace_id="ab" * 16), repair(now, episode), cleared(now, episode))
    await harness.settle()
    return monitoring


async def test_a_draft_tells_what_is_recorded(over: ServiceHarness) -> None:
    draft = (await over.client(OPERATOR).get("/v1/incidents/1/postmortem")).json()
    lines = [words_of(line) for line in draft["markdown"].splitlines()]

    assert draft["written"] is None
    assert lines[0] == "Post-mortem of incident 1: creditx-service: instance dead"
    assert [line[3:] for line in draft["markdown"].splitlines() if line.startswith("## ")] == [
        "Summary", "Timeline", "Five whys", "Actions taken", "Follow-ups", "Lessons", "Links",
    ]  # fmt: skip
    told = "2026-03-02 12:00:00.000Z: restart_instance: done, attempt 1, 4 left. it was dead"
    assert lines.count(told) == 1
    assert lines.count(f"{told} (supervisor)") == 1
    assert f"trace {'ab' * 16}" in lines
    assert draft["markdown"].count("_To be written._") == 8


async def test_what_people_know_completes_it(over: ServiceHarness) -> None:
    ops = over.client(OPERATOR)
    written = {
        "summary": "A process was killed by hand.", "whys": ["Somebody tried <kill>.", "No guard."],
        "follow_ups": [{"what": "Guard it | now", "owner": "platform team", "due": "2026-04-01"}], "lessons": ["Ask."],
    }  # fmt: skip
    kept = (await ops.put("/v1/incidents/1/postmortem", json=written)).json()
    read = (await ops.get("/v1/incidents/1/postmortem")).json()

    assert read == kept
    assert (read["written"], read["written_by"]) == (written, "ops")
    assert "| Guard it \\| now | platform team | 2026-04-01 |" in read["markdown"]
    assert "1. Why? Somebody tried &lt;kill&gt;." in read["markdown"]


async def test_two_who_write_lose_nothing_of_each_other(over: ServiceHarness, clock: FrozenClock) -> None:
    ops = over.client(OPERATOR)

    async def write(summary: str, instead_of: str | None) -> httpx.Response:
        clock.advance(timedelta(seconds=1))
        body = {"summary": summary, "instead_of": instead_of}
        return await ops.put("/v1/incidents/1/postmortem", json=body)

    first = (await write("The first.", None)).json()["written_at"]
    second = await write("The second, who has read the first.", first)
    late = [await write("One who has read the first, too.", first), await write("One who has read nothing.", None)]
    again = await write("The second, who has read the first.", first)
    kept = (await ops.get("/v1/incidents/1/postmortem")).json()["written"]["summary"]

    assert [(answer.status_code, answer.json()["code"]) for answer in late] == [(409, "postmortem_changed")] * 2
    assert (second.status_code, again.status_code) == (200, 200)
    assert kept == "The second, who has read the first."


@pytest.mark.parametrize("cursor", [True, False, -1, 2**62, None, "1", {}])
async def test_a_cursor_that_is_no_number_is_refused(over: ServiceHarness, cursor: Any) -> None:
    ops = over.client(OPERATOR)
    answers = [
        await ops.get(path, params={"cursor": encode_cursor(cursor)}) for path in ("/v1/incidents", "/v1/incidents/1")
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(422, "cursor_invalid")] * 2


@pytest.mark.parametrize(
    "body",
    [
        {"whys": ["x"] * 6},
        {"follow_ups": [{"what": "x"}]},
        {"who": "x"},
        {"summary": "x" * 2001},
        {"follow_ups": [{"what": " ", "owner": "platform"}]},
        {"follow_ups": [{"what": "x", "owner": "\u202e"}]},
    ],
)
async def test_what_fits_no_postmortem_is_refused(over: ServiceHarness, body: dict[str, Any]) -> None:
    assert (await over.client(OPERATOR).put("/v1/incidents/1/postmortem", json=body)).status_code == 422


async def test_a_ticket_is_what_jira_takes(over: ServiceHarness) -> None:
    fields = (await over.client(OPERATOR).get("/v1/incidents/1/ticket")).json()["fields"]

    assert fields["summary"] == "[P2] creditx-service: instance dead"
    assert (fields["issuetype"], fields["labels"]) == (
        {"name": "Incident"}, ["ecosystem", "incident-1", "instance_dead"],
    )  # fmt: skip
    assert [node["content"][0]["text"] for node in fields["description"]["content"] if node["type"] == "heading"] == [
        "Timeline", "Actions taken", "Links",
    ]  # fmt: skip
