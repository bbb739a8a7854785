"""An incident as the body of Jira's `POST /rest/api/3/issue`.

The description is a document of nodes (Atlassian Document Format): text of others stays text, whatever stands in it.
"""

from typing import Any

from ecosystem.contracts.monitoring import Priority
from ecosystem.services.monitoring.incidents import telling
from ecosystem.services.monitoring.incidents.model import tidy
from ecosystem.services.monitoring.incidents.reading import Story

_PRIORITIES = {Priority.P1: "Highest", Priority.P2: "High", Priority.P3: "Medium", Priority.P4: "Low"}
_SUMMARY_LENGTH_MAX = 255
_LINES_MAX = 100
_TEXT_LENGTH_MAX = 1000


def ticket(story: Story, project: str) -> dict[str, Any]:
    """`project` is the key of the project in Jira."""
    incident = story.incident
    content = [_paragraph(sentence) for sentence in telling.summary(incident)]
    sections = (
        ("Timeline", telling.timeline(story)),
        ("Actions taken", telling.actions(story)),
        ("Links", [*(f"trace {one}" for one in incident.trace_ids), *([incident.runbook] if incident.runbook else [])]),
    )
    for title, lines in sections:
        if lines:
            more = len(lines) - _LINES_MAX
            content += [_heading(title), _bullets(lines[:_LINES_MAX])]
            content += [_paragraph(f"{more} more are in the platform.")] if more > 0 else []
    return {
        "fields": {
            "project": {"key": project},
            "issuetype": {"name": "Incident"},
            "summary": tidy(f"[{incident.priority.value}] {incident.title}", _SUMMARY_LENGTH_MAX),
            "description": {"type": "doc", "version": 1, "content": content},
            "priority": {"name": _PRIORITIES[incident.priority]},
            "labels": ["ecosystem", f"incident-{incident.number}", incident.fault],
        }
    }


def _text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": tidy(words, _TEXT_LENGTH_MAX) or "-"}


def _paragraph(words: str) -> dict[str, Any]:
    return {"type": "paragraph", "content": [_text(words)]}


def _heading(words: str) -> dict[str, Any]:
    return {"type": "heading", "attrs": {"level": 2}, "content": [_text(words)]}


def _bullets(lines: list[str]) -> dict[str, Any]:
    return {
        "type": "bulletList", "content": [{"type": "listItem", "content": [_paragraph(line)]} for line in lines],
    }  # fmt: skip
