"""`eco work`: what no machine can finish, and what a person does about it."""

import argparse

from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, company_option, pages, paging_options, run_noun, show_page
from ecosystem.cli.operator import connect, connect_for
from ecosystem_client import Ecosystem
from ecosystem_client.stories import WorkItem

SUMMARY = "Work that needs a person: list, show, claim, retry, close."


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("list", "What waits for a person, the oldest first.", _list, _list_options),
        Verb("show", "One item with all that is known of it.", _show, _item),
        Verb("claim", "Hold an item for 30 minutes.", _claim, _item),
        Verb("retry", "Let the run of an item go on, or start it anew with another input.", _retry, _retry_options),
        Verb("close", "End an item with a reason.", _close, _close_options),
    )
    return run_noun("work", SUMMARY, verbs, arguments)


def _owner_options(parser: argparse.ArgumentParser) -> None:
    company_option(parser)
    parser.add_argument("--platform", action="store_true", help="faults of the platform, not the runs of a company")


def _list_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", choices=["open", "closed"], default="open")
    paging_options(parser)
    _owner_options(parser)


def _item(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("item_id", metavar="ITEM")
    _owner_options(parser)


def _retry_options(parser: argparse.ArgumentParser) -> None:
    _item(parser)
    parser.add_argument(
        "--set", metavar="NAME=VALUE", type=_change, action="append", default=[],
        help="start the run anew with this changed in its input, such as rule_set=kyc_aml_v2",
    )  # fmt: skip


def _close_options(parser: argparse.ArgumentParser) -> None:
    _item(parser)
    parser.add_argument("--reason", required=True, help="why, in words that name nobody")


def _change(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value


def _connection(parsed: argparse.Namespace) -> Ecosystem:
    return connect() if parsed.platform else connect_for(parsed.company)


def _list(parsed: argparse.Namespace) -> int:
    with _connection(parsed) as ecosystem:
        page = pages(
            parsed,
            lambda cursor: ecosystem.work.page(state=parsed.state, limit=parsed.limit, cursor=cursor),
        )
    return show_page(
        parsed,
        page,
        ("item", "kind", "what", "code", "failures", "since", "held by"),
        lambda one: (one.item_id, one.kind, one.what, one.code, one.failures, screen.when(one.opened_at),
                     one.claimed_by),
        empty="Nothing waits for a person.",
    )  # fmt: skip


def _shown(parsed: argparse.Namespace, item: WorkItem) -> int:
    if parsed.json:
        screen.as_json(item.raw)
        return 0
    screen.facts((name, value) for name, value in item.raw.items() if not isinstance(value, dict))
    screen.facts((f"context.{name}", value) for name, value in item.context.items())
    if item.state == "open":
        step = (
            f"eco work claim {item.item_id}" if item.claimed_by is None else f"eco work retry {item.item_id}, or close"
        )
        screen.note(f"Next: {step}")
    return 0


def _show(parsed: argparse.Namespace) -> int:
    with _connection(parsed) as ecosystem:
        return _shown(parsed, ecosystem.work.get(parsed.item_id))


def _claim(parsed: argparse.Namespace) -> int:
    with _connection(parsed) as ecosystem:
        return _shown(parsed, ecosystem.work.claim(parsed.item_id))


def _retry(parsed: argparse.Namespace) -> int:
    with _connection(parsed) as ecosystem:
        value = None
        if parsed.set:
            value = {**ecosystem.work.get(parsed.item_id).context.get("input", {}), **dict(parsed.set)}
        return _shown(parsed, ecosystem.work.retry(parsed.item_id, value=value))


def _close(parsed: argparse.Namespace) -> int:
    with _connection(parsed) as ecosystem:
        return _shown(parsed, ecosystem.work.close(parsed.item_id, parsed.reason))
