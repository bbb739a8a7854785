"""`eco events`: the log of what happened, and the deliveries that failed."""

import argparse

from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, company_option, moment, pages, paging_options, run_noun, show_page
from ecosystem.cli.operator import acting_for, connect_for
from ecosystem.kernel.errors import Invalid
from ecosystem_client.models import Event
from ecosystem_client.reading import Page

SUMMARY = "Events: list, tail, show, consumers, replay, dead-letters."


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("list", "List events, oldest first.", _list, _list_options),
        Verb("tail", "Print events as they happen, until Ctrl-C.", _tail, _tail_options),
        Verb("show", "Show one event.", _show, _show_options),
        Verb("consumers", "List who reads the log, and how far each is.", _consumers, company_option),
        Verb("replay", "Deliver the log again to a consumer.", _replay, _replay_options),
        Verb("dead-letters", "List what a consumer gave up on, or deliver it again.", _dead, _dead_options),
    )
    return run_noun("events", SUMMARY, verbs, arguments)


def _filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--type", metavar="EVENT_TYPE", help="such as compliance_document_created")
    parser.add_argument("--subject", help="the id of what the events are about")
    parser.add_argument("--after", metavar="POSITION", help="only what happened after this position")
    company_option(parser)


def _list_options(parser: argparse.ArgumentParser) -> None:
    paging_options(parser)
    _filters(parser)


def _tail_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, help="end after so many events")
    _filters(parser)


def _show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("event_id", metavar="ID")
    company_option(parser)


def _replay_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("consumer", help="its name, as `eco events consumers` shows it")
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--from-position", metavar="POSITION")
    start.add_argument("--from-time", type=moment, metavar="TIME", help="ISO 8601; UTC where no offset is given")
    parser.add_argument("--dry-run", action="store_true", help="only say how much it would be")
    company_option(parser)


def _dead_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--consumer")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--redeliver", metavar="ID", help="try this one again")
    again.add_argument("--redeliver-all", action="store_true", help="try all of --consumer again, 200 at once")
    parser.add_argument("--code", help="with --redeliver-all: only those that failed with it")
    parser.add_argument("--dry-run", action="store_true", help="with --redeliver-all: only say which")
    paging_options(parser)
    company_option(parser)


def _row(event: Event) -> tuple[object, ...]:
    return (screen.when(event.time), event.type, event.subject, event.id, event.position)


def _list(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:

        def fetch(cursor: str | None) -> Page[Event]:
            return ecosystem.events.page(
                after=cursor or parsed.after, event_type=parsed.type, subject=parsed.subject, limit=parsed.limit
            )

        page = pages(parsed, fetch)
    return show_page(
        parsed,
        page,
        ("time", "type", "subject", "id", "position"),
        _row,
        empty="No event fits." if parsed.type or parsed.subject or parsed.after else "Nothing has happened yet.",
    )


def _tail(parsed: argparse.Namespace) -> int:
    seen = 0
    with connect_for(parsed.company) as ecosystem:
        for event in ecosystem.events.tail(after=parsed.after, event_type=parsed.type, subject=parsed.subject):
            if parsed.json:
                screen.as_json_now(event.raw)
            else:
                screen.out_now("  ".join(map(screen.clean, _row(event))))
            seen += 1
            if seen == parsed.count:
                break
    return 0


def _show(parsed: argparse.Namespace) -> int:
    with connect_for(parsed.company) as ecosystem:
        event = ecosystem.events.get(parsed.event_id)
    screen.as_json(event.raw)
    return 0


def _consumers(parsed: argparse.Namespace) -> int:
    with acting_for(parsed.company) as ecosystem:
        consumers = ecosystem.events.consumers()
    if parsed.json:
        screen.as_json({"items": list(consumers), "next_cursor": None})
        return 0
    columns = ("name", "service", "lag_events", "lag_seconds", "parked", "dead_letters", "moved_at")
    screen.table(columns, [[one.get(column) for column in columns] for one in consumers])
    return 0


def _replay(parsed: argparse.Namespace) -> int:
    with acting_for(parsed.company) as ecosystem:
        replay = ecosystem.events.replay(
            parsed.consumer,
            from_position=parsed.from_position,
            from_time=parsed.from_time,
            dry_run=parsed.dry_run,
        )
    if parsed.json:
        screen.as_json(replay.raw)
        return 0
    screen.record(replay.raw)
    if parsed.dry_run:
        screen.note("Nothing was delivered. Next: the same command without --dry-run")
    return 0


def _dead(parsed: argparse.Namespace) -> int:
    with acting_for(parsed.company) as ecosystem:
        if parsed.redeliver:
            screen.as_json(ecosystem.events.redeliver(parsed.redeliver))
            return 0
        if parsed.redeliver_all:
            if parsed.consumer is None:
                raise Invalid("Whose dead letters?", suggestion="add --consumer NAME; eco events consumers shows them")
            done = ecosystem.events.redeliver_all(parsed.consumer, code=parsed.code, dry_run=parsed.dry_run)
            screen.as_json(done)
            if parsed.dry_run:
                screen.note("Nothing was delivered. Next: the same command without --dry-run")
            return 0
        page = pages(
            parsed,
            lambda cursor: ecosystem.events.dead_letters_page(
                consumer=parsed.consumer, limit=parsed.limit, cursor=cursor
            ),
        )
    return show_page(
        parsed,
        page,
        ("id", "consumer", "type", "attempts", "failed", "reason"),
        lambda one: (one.id, one.consumer, one.type, one.attempts, screen.when(one.failed_at), one.reason),
        empty="There are no dead letters: every consumer has handled what it was given.",
    )
