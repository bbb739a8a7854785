"""`eco oncall`: who is called when something needs a person; pages, and who took them."""

import argparse
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, company_option, run_noun
from ecosystem.cli.operator import acting_for
from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem.kernel.words import counted
from ecosystem_client import ApiError, Ecosystem
from ecosystem_client.calling import CalledPage, Rota

SUMMARY = "On call: show, set, override, page, ack."
STYLES = {"open": "red", "unanswered": "red", "acknowledged": "green"}
_OPEN_SHOWN_MAX = 20


class RotaUnreadable(EcosystemError):
    code, kind, severity = "rota_unreadable", Kind.PERMANENT, Severity.LOW
    rule = "A rota is a text file in UTF-8."
    suggestion = "docs/guides/on-call.md shows one"


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("show", "Show who is on call and which pages are open, or one page.", _show, _show_options),
        Verb("set", "Replace the rota by a file; what is wrong with it is said by line.", _set, _set_options),
        Verb("override", "Have somebody else on call for a while.", _override, _override_options),
        Verb("page", "Call whoever is on call, now.", _page, _page_options),
        Verb("ack", "Take a page, and its incident: nobody else is called.", _ack, _ack_options),
    )
    return run_noun("oncall", SUMMARY, verbs, arguments)


def _show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("page_id", metavar="PAGE", nargs="?", help="only this page, and who was told of it")
    parser.add_argument("--at", type=_moment, metavar="TIME", help="who is on call then (UTC without an offset)")
    company_option(parser)


def _set_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    company_option(parser)


def _override_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("person", metavar="PERSON", help="what the rota calls them")
    how_long = parser.add_mutually_exclusive_group(required=True)
    how_long.add_argument("--until", type=_moment, metavar="TIME", help="such as 2026-12-24T18:00, in the rota's zone")
    how_long.add_argument("--for", dest="lasting", type=_lasting, metavar="TIME", help="such as 8h or 2d, from now")
    parser.add_argument("--from", dest="from_at", type=_moment, metavar="TIME", help="default: now")
    parser.add_argument("--level", type=int, default=1, help="default: 1, the first that is called")
    company_option(parser)


def _page_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("title", metavar="TITLE", help="what is wrong, in a line; ids, and nothing about persons")
    parser.add_argument("--summary", default="", help="what is known of it")
    parser.add_argument("--priority", choices=("P1", "P2", "P3", "P4"), default="P2")
    parser.add_argument("--runbook", help="the page of docs/runbooks that helps, such as service_unavailable")
    parser.add_argument("--incident", metavar="ID")
    company_option(parser)


def _ack_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("page_id", metavar="PAGE")
    company_option(parser)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a time such as 2026-12-24T18:00 is expected") from None


def _lasting(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,4})([hd])", text)
    if found is None:
        raise argparse.ArgumentTypeError("hours or days are expected, such as 8h or 2d")
    return timedelta(hours=int(found[1]) * (1 if found[2] == "h" else 24))


def _show(parsed: argparse.Namespace) -> int:
    with acting_for(parsed.company) as ecosystem:
        if parsed.page_id:
            return _tell_page(parsed, ecosystem.oncall.get(parsed.page_id))
        rota, pages = _rota(ecosystem, parsed.at), ecosystem.oncall.pages(only_open=True, limit=_OPEN_SHOWN_MAX).items
    if parsed.json:
        screen.as_json({"rota": rota.raw if rota else None, "pages": [one.raw for one in pages]})
        return 0
    if rota is not None:
        _tell_rota(rota)
    else:
        screen.note("There is no rota: a page goes to every channel. Next: eco oncall set rota.yaml")
    if pages:
        rows = [(one.page_id, one.priority, one.title, one.level, screen.when(one.climbs_at)) for one in pages]
        screen.table(("page", "priority", "title", "level", "climbs at"), rows, STYLES)
        screen.note(f"Next: eco oncall ack {pages[0].page_id}")
    else:
        screen.note("No page is open.")
    return 0


def _rota(ecosystem: Ecosystem, at: datetime | None) -> Rota | None:
    try:
        return ecosystem.oncall.rota(at)
    except ApiError as refusal:
        if refusal.code != "rota_missing":
            raise
        return None


def _set(parsed: argparse.Namespace) -> int:
    try:
        text = parsed.file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RotaUnreadable(f"{parsed.file} is no text in UTF-8.") from None
    with acting_for(parsed.company) as ecosystem:
        try:
            rota = ecosystem.oncall.set_rota(text)
        except ApiError as refusal:
            problems = refusal.problem.get("problems")
            if not problems:
                raise
            if parsed.json:
                screen.as_json({"file": str(parsed.file), "problems": problems})
            for one in [] if parsed.json else problems:
                screen.out(screen.clean(f"{parsed.file}:{one['line']}: {one['message']}"))
            screen.note("Next: docs/guides/on-call.md shows a rota; nothing has changed")
            return 1
    return _told(parsed, rota)


def _override(parsed: argparse.Namespace) -> int:
    with acting_for(parsed.company) as ecosystem:
        rota = ecosystem.oncall.override(
            parsed.person,
            parsed.until or datetime.now(UTC) + parsed.lasting,
            from_at=parsed.from_at,
            level=parsed.level,
        )
    return _told(parsed, rota)


def _page(parsed: argparse.Namespace) -> int:
    with acting_for(parsed.company) as ecosystem:
        page = ecosystem.oncall.page(
            parsed.title, key=str(uuid4()), priority=parsed.priority, summary=parsed.summary, runbook=parsed.runbook,
            incident_id=parsed.incident,
        )  # fmt: skip
    return _tell_page(parsed, page)


def _ack(parsed: argparse.Namespace) -> int:
    with acting_for(parsed.company) as ecosystem:
        return _tell_page(parsed, ecosystem.oncall.acknowledge(parsed.page_id))


def _told(parsed: argparse.Namespace, rota: Rota) -> int:
    if parsed.json:
        screen.as_json(rota.raw)
    else:
        _tell_rota(rota)
    return 0


def _tell_rota(rota: Rota) -> None:
    screen.table(
        ("level", "person", "name", "until", "to answer", "override"),
        [
            (
                turn.level, turn.person.key, turn.person.name, screen.when(turn.next_hand_over) or "always",
                f"{turn.acknowledge_within_minutes} min", "yes" if turn.overridden else "",
            )
            for turn in rota.on_call
        ],
    )  # fmt: skip
    coming = [one for one in rota.overrides if one.from_at > rota.as_of]
    for one in coming:
        screen.note(f"From {screen.when(one.from_at)} to {screen.when(one.to_at)} at level {one.level}: {one.person}")


def _tell_page(parsed: argparse.Namespace, page: CalledPage) -> int:
    if parsed.json:
        screen.as_json(page.raw)
        return 0
    screen.facts(
        (
            ("page", page.page_id), ("state", page.state), ("priority", page.priority), ("title", page.title),
            ("summary", page.summary or None), ("incident", page.incident_id), ("runbook", page.runbook),
            ("requested", screen.when(page.requested_at)), ("climbs at", screen.when(page.climbs_at) or None),
            ("ended", screen.when(page.ended_at) or None), ("by", page.ended_by),
        )
    )  # fmt: skip
    for call in page.calls:
        whom = call.person_id or "every channel"
        screen.out(f"{screen.when(call.at)}  level {call.level}: {whom}, {counted(len(call.notifications), 'message')}")
    if page.calls and not page.calls[-1].notifications:
        screen.note("Nobody could be told. Next: eco notifications add NAME")
    elif page.state == "open":
        screen.note(f"Next: eco oncall ack {page.page_id}; eco notifications list says whether it went out")
    return 0
