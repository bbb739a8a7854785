"""`eco incidents`: what went wrong, what was done, who looks at it, and what is learned from it."""

import argparse
import json
from pathlib import Path
from typing import Any

from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, limit, pages, paging_options, run_noun, show_page
from ecosystem.cli.operator import connect_as
from ecosystem.contracts.monitoring import IncidentState, Priority
from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem.kernel.words import counted, times
from ecosystem_client.monitored import Incident, IncidentEpisode

SUMMARY = "Incidents: list, show, episodes, ack, resolve, postmortem, ticket, status."
_WRITING = (
    "JSON: summary, whys, follow_ups, lessons; what is written already is changed in the output of --json:"
    " its `written` is taken, unless somebody has written since"
)
_STYLES = {"open": "red", "acknowledged": "yellow", "closed": "green", "P1": "bold red", "P2": "red"}


class WritingUnreadable(EcosystemError):
    code, kind, severity = "writing_unreadable", Kind.PERMANENT, Severity.LOW
    rule = "What is written into a post-mortem is a JSON object: summary, whys, follow_ups, lessons."
    suggestion = 'Such as {"whys": ["…"], "follow_ups": [{"what": "…", "owner": "…", "due": "2026-12-01"}]}'


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("list", "List incidents, newest first.", _list, _list_options),
        Verb("show", "Show one with its timeline.", _show, _show_options),
        Verb("episodes", "When its trouble began and ended, each time, newest first.", _episodes, _episodes_options),
        Verb("ack", "Say that you look at it: nobody else is called.", _ack, _one),
        Verb("resolve", "End it by hand.", _resolve, _resolve_options),
        Verb("postmortem", "The post-mortem as Markdown, or write into it.", _postmortem, _postmortem_options),
        Verb("ticket", "The incident as the body of a Jira issue.", _ticket, _one),
        Verb("status", "What everybody may know: does it work.", _status),
    )
    return run_noun("incidents", SUMMARY, verbs, arguments)


def _company(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--company", metavar="ID|NAME", help="as this company sees it (default: all of the platform)")


def _list_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", choices=[state.value for state in IncidentState])
    parser.add_argument("--priority", choices=[priority.value for priority in Priority])
    parser.add_argument("--unfinished", action="store_true", help="only what is not closed")
    paging_options(parser)
    _company(parser)


def _one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("incident", metavar="NUMBER|ID")
    _company(parser)


def _show_options(parser: argparse.ArgumentParser) -> None:
    _one(parser)
    parser.add_argument("--limit", type=limit, default=50, help="lines of the timeline, 1 to 200 (default: 50)")
    parser.add_argument("--cursor", help="go on from here, as the page before says")


def _episodes_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("incident", metavar="NUMBER|ID")
    paging_options(parser)


def _resolve_options(parser: argparse.ArgumentParser) -> None:
    _one(parser)
    parser.add_argument("--reason", required=True, help="why it is over; ids and codes, no names of people")


def _postmortem_options(parser: argparse.ArgumentParser) -> None:
    _one(parser)
    parser.add_argument("--write", type=Path, metavar="FILE", help=_WRITING)


def _list(parsed: argparse.Namespace) -> int:
    with connect_as(parsed.company) as ecosystem:
        page = pages(
            parsed,
            lambda cursor: ecosystem.incidents.page(
                state=parsed.state, priority=parsed.priority, unfinished=parsed.unfinished, limit=parsed.limit,
                cursor=cursor,
            ),
        )  # fmt: skip
    narrowed = parsed.state or parsed.priority or parsed.unfinished
    return show_page(
        parsed, page, ("number", "priority", "state", "what", "cause", "seen", "began", "noticed", "lasted"), _row,
        empty="No incident fits." if narrowed else "Nothing has gone wrong yet.", styles=_STYLES,
    )  # fmt: skip


def _row(one: Incident) -> tuple[object, ...]:
    began, noticed = screen.when(one.began_at or one.opened_at), screen.when(one.opened_at)
    lasted = _lasted(one) or "goes on"
    return (one.number, one.priority, one.state, one.title, one.cause, one.faults, began, noticed, lasted)


def _lasted(one: Incident) -> str | None:
    """From when there was trouble, noticed or not."""
    if one.closed_at is None:
        return None
    return f"{max(0.0, (one.closed_at - (one.began_at or one.opened_at)).total_seconds()):.1f} s"


def _show(parsed: argparse.Namespace) -> int:
    with connect_as(parsed.company) as ecosystem:
        return _shown(parsed, ecosystem.incidents.get(parsed.incident, limit=parsed.limit, cursor=parsed.cursor))


def _episodes(parsed: argparse.Namespace) -> int:
    with connect_as(None) as ecosystem:
        page = pages(
            parsed,
            lambda cursor: ecosystem.incidents.episodes_page(parsed.incident, limit=parsed.limit, cursor=cursor),
        )
    return show_page(
        parsed, page, ("episode", "began", "over", "took", "person called"),
        _episode_row, empty="It has no episode.",
    )  # fmt: skip


def _episode_row(one: IncidentEpisode) -> tuple[object, ...]:
    took = f"{one.repair_seconds:.1f} s" if one.repair_seconds is not None else ""
    return (one.episode_id, screen.when(one.began_at), screen.when(one.cleared_at), took, screen.when(one.paged_at))


def _ack(parsed: argparse.Namespace) -> int:
    with connect_as(parsed.company) as ecosystem:
        return _shown(parsed, ecosystem.incidents.acknowledge(parsed.incident))


def _resolve(parsed: argparse.Namespace) -> int:
    with connect_as(parsed.company) as ecosystem:
        return _shown(parsed, ecosystem.incidents.resolve(parsed.incident, parsed.reason))


def _shown(parsed: argparse.Namespace, incident: Incident) -> int:
    if parsed.json:
        screen.as_json(incident.raw)
        return 0
    screen.facts(
        (
            ("incident", f"{incident.number}  {incident.incident_id}"), ("what", incident.title),
            ("cause", incident.cause), ("caused by", incident.caused_by and f"incident {incident.caused_by}"),
            ("priority", incident.priority), ("state", incident.state),
            ("began", screen.when(incident.began_at or incident.opened_at)),
            ("noticed", screen.when(incident.opened_at)), ("lasted", _lasted(incident)),
            ("seen", f"{times(incident.faults)}, last"
             f" {screen.when(incident.seen_at)}, in {counted(incident.episodes, 'episode')}"),
            ("answer by", None if incident.state != "open" else screen.when(incident.respond_by)),
            ("acknowledged by", incident.acknowledged_by), ("closed", screen.when(incident.closed_at) or None),
            ("closed by", incident.closed_by), ("reason", incident.closed_reason),
            ("companies", ", ".join(incident.companies) or None), ("processes", ", ".join(incident.instances) or None),
            ("runbook", incident.runbook), ("traces", ", ".join(incident.trace_ids) or None),
        )
    )  # fmt: skip
    if incident.timeline:
        screen.out()
        screen.table(
            ("at", "what", "by", "said"),
            [(screen.when(line.at, exact=True), line.what, line.by, line.said) for line in incident.timeline],
        )
        screen.note(f"{len(incident.timeline)} of {counted(incident.lines, 'line')}.")
    if incident.next_cursor is not None:
        screen.note(f"There is more: --cursor {incident.next_cursor}")
    if incident.state == IncidentState.OPEN:
        screen.note(f"Next: eco incidents ack {incident.number}")
    return 0


def _postmortem(parsed: argparse.Namespace) -> int:
    with connect_as(parsed.company) as ecosystem:
        if parsed.write is None:
            found = ecosystem.incidents.postmortem(parsed.incident)
        else:
            found = ecosystem.incidents.write_postmortem(parsed.incident, _written(parsed.write))
    if parsed.json:
        screen.as_json(found.raw)
    else:
        for line in found.markdown.rstrip("\n").split("\n"):
            screen.out(screen.clean(line))
    return 0


def _written(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise WritingUnreadable(f"{path} is no JSON object.")
    if "written" not in found:
        return found
    return {**(found["written"] or {}), "instead_of": found.get("written_at")}


def _ticket(parsed: argparse.Namespace) -> int:
    with connect_as(parsed.company) as ecosystem:
        screen.as_json(ecosystem.incidents.ticket(parsed.incident))
    return 0


def _status(parsed: argparse.Namespace) -> int:
    with connect_as(None) as ecosystem:
        found = ecosystem.incidents.status()
    if parsed.json:
        screen.as_json(found)
        return 0
    screen.facts((("status", found["status"]), ("since", found["since"]), *found["parts"].items()))
    return 0
