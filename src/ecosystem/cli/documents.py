"""`eco documents`: send documents, follow them, see what was read and how it was judged."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, company_option, pages, paging_options, run_noun, show_page
from ecosystem.cli.operator import connect_for
from ecosystem_client import ApiError, Ecosystem
from ecosystem_client.models import Document, Rule
from ecosystem_client.request import Upload

SUMMARY = "Documents: upload, list, show, result, erase."
STYLES = {
    "approved": "green",
    "rejected": "red",
    "review": "yellow",
    "refused": "magenta",
    "passed": "green",
    "failed": "red",
    "not_applicable": "dim",
    "not_available": "yellow",
}


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("upload", "Send files to be read and judged.", _upload, _upload_options),
        Verb("list", "List or search the documents of a company.", _list, _list_options),
        Verb("show", "Show where a document stands.", _show, _one),
        Verb("result", "Show the values read and each rule with its evidence.", _result, _one),
        Verb("erase", "Destroy what a document says about people, for ever.", _erase, _erase_options),
    )
    return run_noun("documents", SUMMARY, verbs, arguments)


def _upload_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--rule-set", help="judge by this rule set (default: the platform's)")
    parser.add_argument("--customer", metavar="REFERENCE", help="whose documents they are, by your own reference")
    parser.add_argument("--wait", action="store_true", help="follow each to its outcome")
    company_option(parser)


def _list_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kind")
    parser.add_argument("--outcome", choices=("approved", "rejected", "review"))
    parser.add_argument("--status", choices=("received", "processing", "completed", "failed"))
    parser.add_argument("--customer", metavar="REFERENCE", help="of this customer, by your own reference")
    parser.add_argument("--search", metavar="TERM", help="an exact name, number or ISO date that was read")
    paging_options(parser)
    company_option(parser)


def _one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("document_id", metavar="ID")
    company_option(parser)


def _erase_options(parser: argparse.ArgumentParser) -> None:
    _one(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask (needed where nobody can answer)")


def _upload(parsed: argparse.Namespace) -> int:
    rows: list[dict[str, Any]] = []
    for path in parsed.files:
        # A name mistyped at the end must not be found out when the first half has been sent.
        Upload.of(path, None)
        path.open("rb").close()
    with connect_for(parsed.company) as ecosystem:
        for path in parsed.files:
            rows.append(_send(ecosystem, path, parsed))
    if parsed.json:
        screen.as_json({"items": rows})
    else:
        columns = ("file", "document_id", "status", "kind", "outcome", "score", "said")
        screen.table(columns, [[row.get(column) for column in columns] for row in rows], STYLES)
    return 1 if any(row["status"] == "refused" for row in rows) else 0


def _send(ecosystem: Ecosystem, path: Path, parsed: argparse.Namespace) -> dict[str, Any]:
    """A refusal of one file is its outcome, not the end of the command."""
    try:
        receipt = ecosystem.documents.upload(path, rule_set=parsed.rule_set, customer=parsed.customer)
    except ApiError as refusal:
        if refusal.status in (401, 403) or refusal.status >= 500:
            raise
        return {
            "file": path.name,
            "status": "refused",
            "code": refusal.code,
            "said": f"{refusal.detail} {refusal.next_step or ''}".strip(),
        }
    row: dict[str, Any] = {"file": path.name, "document_id": receipt.document_id, "status": receipt.status}
    if not parsed.wait:
        return row
    document = ecosystem.documents.follow(receipt.document_id)
    return row | {
        "status": document.status,
        "kind": document.kind,
        "outcome": document.outcome,
        "score": document.compliance_score,
    }


def _list(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        page = pages(
            parsed,
            lambda cursor: ecosystem.documents.page(
                kind=parsed.kind,
                outcome=parsed.outcome,
                status=parsed.status,
                q=parsed.search,
                customer=parsed.customer,
                limit=parsed.limit,
                cursor=cursor,
            ),
        )
    narrowed = any((parsed.kind, parsed.outcome, parsed.status, parsed.search, parsed.customer))
    return show_page(
        parsed,
        page,
        ("id", "status", "kind", "outcome", "score", "received"),
        _row,
        empty="No document fits." if narrowed else "No documents yet. Next: eco documents upload FILE --wait",
        styles=STYLES,
    )


def _row(document: Document) -> tuple[object, ...]:
    received = screen.when(document.created_at)
    return (
        document.document_id,
        document.status,
        document.kind,
        document.outcome,
        document.compliance_score,
        received,
    )


def _show(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        document = ecosystem.documents.get(parsed.document_id)
    if parsed.json:
        screen.as_json(document.raw)
        return 0
    screen.record(document.raw)
    for reason in document.reasons:
        screen.out(f"reason: {screen.clean(reason)}")
    screen.note(f"Next: eco documents result {document.document_id}")
    return 0


def _erase(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        document = ecosystem.documents.get(parsed.document_id)
        if document.erased_at is None and not parsed.yes and not _confirmed(document):
            screen.note("Nothing was erased.")
            return 1
        document = ecosystem.documents.erase(parsed.document_id)
    if parsed.json:
        screen.as_json(document.raw)
        return 0
    screen.out(f"Erased {document.document_id} at {screen.when(document.erased_at)}.")
    screen.out("Its values, names, evidence, reasons and original can never be read again; outcome and times stay.")
    return 0


def _confirmed(document: Document) -> bool:
    name = f" ({screen.clean(document.file_name)})" if document.file_name else ""
    screen.note(f"Document {document.document_id}{name}: {document.kind or document.status}, {document.outcome}.")
    screen.note("Erasing destroys its key: values, evidence, names and original are gone for ever, for everybody.")
    if not sys.stdin.isatty():
        screen.note("Next: the same with --yes, if this is what you want")
        return False
    return input("Erase it? Type yes: ").strip().lower() == "yes"


def _result(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        result = ecosystem.documents.result(parsed.document_id)
    if parsed.json:
        screen.as_json(result.raw)
        return 0
    screen.facts(
        (
            ("kind", result.kind),
            ("outcome", result.outcome),
            ("score", result.compliance_score),
            ("rule set", f"{result.rule_set} version {result.rule_set_version}" if result.rule_set else None),
            ("reasons", "; ".join(result.reasons) or None),
            ("open rules", ", ".join(result.open_rules) or None),
            ("decided by", result.decision.decided_by if result.decision else None),
            ("decision", result.decision.reason if result.decision else None),
        )
    )
    screen.out()
    rows = [(v.name, v.value, v.page, v.confidence, v.method) for v in result.values]
    screen.table(("value", "read", "page", "confidence", "method"), rows)
    screen.out()
    screen.table(("rule", "status", "weight", "evidence"), _rules(result.rules), STYLES)
    return 0


def _rules(rules: Iterable[Rule]) -> list[tuple[object, ...]]:
    """What failed first: that is what somebody came to see."""
    order = {"failed": 0, "not_available": 1, "passed": 2}
    ranked = sorted(rules, key=lambda rule: order.get(rule.status, 3))
    return [(rule.rule, rule.status, rule.weight, rule.evidence) for rule in ranked]
