"""`eco audit`: who did what, and the proof that nobody changed the record of it."""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from ecosystem.cli import audit_export, screen
from ecosystem.cli.noun import Verb, moment, pages, paging_options, run_noun, show_page
from ecosystem.cli.operator import connect_as
from ecosystem.kernel.words import counted
from ecosystem_client import Ecosystem
from ecosystem_client.monitored import AuditEntry

SUMMARY = "The audit trail: list, show, verify, export."


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("list", "Who did what, newest first.", _list, _list_options),
        Verb("show", "Show one entry, with what it changed.", _show, _show_options),
        Verb("verify", "Prove that the trail is as it was written.", _verify, _verify_options),
        Verb("export", "The whole trail as JSON lines, the last one its proof.", _export, _export_options),
    )
    return run_noun("audit", SUMMARY, verbs, arguments)


def _company(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--company", metavar="ID|NAME", help="the trail of this company (default: the platform's own)")


def _list_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--actor", metavar="ID", help="id of the user or agent who did it")
    parser.add_argument("--action", help="such as document_decided")
    parser.add_argument("--target", metavar="ID", help="id of what it was done to")
    parser.add_argument("--since", type=moment, metavar="TIME", help="ISO 8601; UTC where no offset is given")
    parser.add_argument("--until", type=moment, metavar="TIME")
    paging_options(parser)
    _company(parser)


def _show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("event_id", metavar="ID")
    _company(parser)


def _verify_options(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--export", type=Path, metavar="FILE", help="prove this export by itself, without a platform")
    where.add_argument("--against", type=Path, metavar="FILE", help="and that all of this export still stands there")
    _company(parser)


def _export_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, metavar="FILE", help="write here (default: standard output)")
    _company(parser)


def _list(parsed: argparse.Namespace) -> int:
    with connect_as(parsed.company) as ecosystem:
        page = pages(
            parsed,
            lambda cursor: ecosystem.audit.page(
                actor=parsed.actor, action=parsed.action, target=parsed.target, since=parsed.since,
                until=parsed.until, limit=parsed.limit, cursor=cursor,
            ),
        )  # fmt: skip
    return show_page(
        parsed, page, ("time", "who", "action", "target", "from", "id"), _row,
        empty="No entry fits. A deed is in the trail a moment after it was done.",
    )  # fmt: skip


def _row(entry: AuditEntry) -> tuple[object, ...]:
    who = entry.user_id or entry.agent_id or "the platform"
    return (screen.when(entry.happened_at), who, entry.action, entry.target, entry.source, entry.event_id)


def _show(parsed: argparse.Namespace) -> int:
    with connect_as(parsed.company) as ecosystem:
        screen.as_json(ecosystem.audit.get(parsed.event_id).raw)
    return 0


def _verify(parsed: argparse.Namespace) -> int:
    if parsed.export is not None:
        entries = audit_export.proof_of(parsed.export).entries
        return _verdict(parsed, audit_export.problems(parsed.export), f"{parsed.export}", {"entries": entries})
    with connect_as(parsed.company) as ecosystem:
        proof = ecosystem.audit.prove()
        found = [f"{one.code} in chain {one.chain} at {one.number}" for one in proof.problems]
        if parsed.against is not None:
            found += _no_longer(ecosystem, parsed.against)
    counts = {"entries": proof.walked, "compared_with_log": proof.compared, "on_their_way": proof.waiting}
    return _verdict(parsed, found, "The trail", counts)


def _no_longer(ecosystem: Ecosystem, path: Path) -> list[str]:
    """What of an export's proof no longer stands in the trail."""
    kept, found = audit_export.proof_of(path), []
    if ecosystem.audit.heads()["company_id"] != str(kept.company_id):
        return ["the export is of another trail"]
    for head in kept.heads:
        entry = next(iter(ecosystem.audit.chain(head.chain, after=head.number - 1)), None)
        if entry is None or entry.number != head.number or entry.hash != head.hash.hex():
            found.append(f"not as exported in chain {head.chain} up to {head.number}")
    return found


def _verdict(parsed: argparse.Namespace, problems: list[str], what: str, counts: dict[str, int]) -> int:
    if parsed.json:
        screen.as_json({"whole": not problems, **counts, "problems": problems})
    elif problems:
        for problem in problems:
            screen.out(problem)
    else:
        told = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in counts.items())
        screen.out(f"{what} is whole{f': {told}' if told else ''}.")
    if problems:
        screen.note("The trail is not as it was written. Next: keep the database as it is, and compare with an export.")
    return 1 if problems else 0


def _export(parsed: argparse.Namespace) -> int:
    with connect_as(parsed.company) as ecosystem, ExitStack() as opened:
        file = sys.stdout if parsed.out is None else opened.enter_context(parsed.out.open("w", encoding="utf-8"))
        count = -1
        for line in audit_export.lines(ecosystem.audit.heads(), ecosystem.audit.chain):
            file.write(f"{line}\n")
            count += 1
    step = f" Next: eco audit verify --export {parsed.out}" if parsed.out else ""
    screen.note(f"{counted(count, 'entry')}.{step}")
    return 0
