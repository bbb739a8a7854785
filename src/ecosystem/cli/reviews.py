"""`eco reviews`: documents that await the decision of a person."""

import argparse

from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, company_option, pages, paging_options, run_noun, show_page
from ecosystem.cli.operator import connect_for
from ecosystem_client import Ecosystem
from ecosystem_client.models import Review

SUMMARY = "Documents that await a person: list, show, claim, release, decide."
STYLES = {"approved": "green", "rejected": "red", "review": "yellow"}


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("list", "List what awaits a decision, the oldest first.", _list, _list_options),
        Verb("show", "Show who holds a review, and why the document came here.", _show, _one),
        Verb("claim", "Hold a review for 30 minutes; again to extend it.", _claim, _one),
        Verb("release", "Give a claim back.", _release, _one),
        Verb("decide", "Decide a review that you hold.", _decide, _decide_options),
    )
    return run_noun("reviews", SUMMARY, verbs, arguments)


def _list_options(parser: argparse.ArgumentParser) -> None:
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--mine", dest="claimed", action="store_const", const="mine", help="only what you hold")
    whose.add_argument("--free", dest="claimed", action="store_const", const="nobody", help="only what nobody holds")
    paging_options(parser)
    company_option(parser)


def _one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("document_id", metavar="DOCUMENT_ID")
    company_option(parser)


def _decide_options(parser: argparse.ArgumentParser) -> None:
    _one(parser)
    parser.add_argument("outcome", choices=("approved", "rejected"))
    parser.add_argument("--reason", required=True, help="why, in a sentence; it is kept sealed with the document")


def _list(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        page = pages(
            parsed,
            lambda cursor: ecosystem.reviews.page(claimed=parsed.claimed, limit=parsed.limit, cursor=cursor),
        )
    return show_page(
        parsed,
        page,
        ("document", "kind", "score", "since", "held by", "reasons"),
        lambda one: (
            one.document_id, one.kind, one.compliance_score, screen.when(one.requested_at), one.claimed_by,
            "; ".join(one.reasons),
        ),
        empty="Nothing awaits a decision.",
    )  # fmt: skip


def _show(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        return _tell(parsed, ecosystem.reviews.get(parsed.document_id))


def _claim(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        return _tell(parsed, ecosystem.reviews.claim(parsed.document_id))


def _release(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        return _tell(parsed, ecosystem.reviews.release(parsed.document_id))


def _decide(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        return _tell(parsed, _decided(ecosystem, parsed))


def _decided(ecosystem: Ecosystem, parsed: argparse.Namespace) -> Review:
    return ecosystem.reviews.decide(parsed.document_id, parsed.outcome, parsed.reason)


def _tell(parsed: argparse.Namespace, review: Review) -> int:
    if parsed.json:
        screen.as_json(review.raw)
        return 0
    decision = review.decision
    screen.facts(
        (
            ("document", review.document_id),
            ("kind", review.kind),
            ("outcome", review.outcome),
            ("score", review.compliance_score),
            ("failing rules", ", ".join(review.failing_rules) or None),
            ("reasons", "; ".join(review.reasons) or None),
            ("awaits since", screen.when(review.requested_at) or None),
            ("held by", review.claimed_by),
            ("held until", screen.when(review.claimed_until) or None),
            ("decided by", decision.decided_by if decision else None),
            ("decided at", screen.when(decision.decided_at) if decision else None),
            ("reason", decision.reason if decision else None),
        )
    )
    if review.awaits:
        screen.note(f"Next: eco rules explain {review.document_id}; eco reviews {_next(review)}")
    return 0


def _next(review: Review) -> str:
    if review.claimed_by is None:
        return f"claim {review.document_id}"
    return f"decide {review.document_id} approved|rejected --reason TEXT"
