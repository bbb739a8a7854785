"""A post-mortem as Markdown: drafted from what is recorded, completed by what people wrote.

What is recorded and written is text of others: every sign that Markdown or HTML would read as more is escaped, and a
line stays one line, so that nothing in it becomes a heading, a link or a tag.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from ecosystem.services.monitoring.incidents import telling
from ecosystem.services.monitoring.incidents.model import Incident, tidy
from ecosystem.services.monitoring.incidents.reading import Story

_SIGNS = re.compile(r"([\\`*_{}\[\]#|~^$@])|:(?=//)|(?<=www)\.")
_FIRST = re.compile(r"^(?:[-+=:]|\d+[.)])")
_TEXT_LENGTH_MAX = 2000
_OPEN = "_To be written._"
WHYS = 5


@dataclass(frozen=True)
class FollowUp:
    what: str
    owner: str
    due: date | None = None


@dataclass(frozen=True)
class Written:
    """What only people know."""

    summary: str = ""
    whys: tuple[str, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    lessons: tuple[str, ...] = ()


def escaped(words: str) -> str:
    """`words` as one line of Markdown that shows exactly them."""
    shown = _SIGNS.sub(r"\\\g<0>", tidy(words, _TEXT_LENGTH_MAX))
    # At the beginning a sign or a number makes a list, a rule or a heading.
    shown = _FIRST.sub(lambda first: f"{first[0][:-1]}\\{first[0][-1]}", shown)
    # Entities are safer than a backslash where HTML is let through.
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def markdown(story: Story, written: Written) -> str:
    """The whole document. What nobody has written yet is marked as such."""
    incident = story.incident
    lines = [f"# Post-mortem of incident {incident.number}: {escaped(incident.title)}", "", "## Summary", ""]
    lines += [escaped(written.summary) if written.summary else _OPEN, ""]
    lines += _list(escaped(sentence) for sentence in telling.summary(incident))
    lines += ["", "## Timeline", ""]
    lines += _list(map(escaped, telling.timeline(story)))
    trouble = f"The trouble: {escaped(incident.title)}; seen as: {escaped(incident.cause)}."
    lines += ["", "## Five whys", "", trouble, ""]
    whys = [*written.whys, *[""] * (WHYS - len(written.whys))]
    lines += [f"{number}. Why? {escaped(why) if why else _OPEN}" for number, why in enumerate(whys, 1)]
    lines += ["", "## Actions taken", ""]
    lines += _list(map(escaped, telling.actions(story))) or [_nothing_done(incident)]
    lines += ["", "## Follow-ups", "", "| what | owner | due |", "|---|---|---|"]
    lines += [
        f"| {escaped(one.what)} | {escaped(one.owner)} | {one.due.isoformat() if one.due else 'no date'} |"
        for one in written.follow_ups
    ] or [f"| {_OPEN} | | |"]
    lines += ["", "## Lessons", "", *(_list(map(escaped, written.lessons)) or [_OPEN])]
    links = [
        *(f"trace {trace}" for trace in incident.trace_ids),
        *([f"runbook {incident.runbook}"] if incident.runbook else []),
    ]
    if links:
        lines += ["", "## Links", "", *_list(map(escaped, links))]
    return "\n".join(lines) + "\n"


def _nothing_done(incident: Incident) -> str:
    return "Nothing was done so far." if incident.is_open else "Nothing was done: it healed by itself."


def _list(items: Iterable[str]) -> list[str]:
    return [f"- {item}" for item in items]
