"""`eco notifications`: where messages go, and which went."""

import argparse
import getpass
import sys
import time
from pathlib import Path

from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, company_option, pages, paging_options, run_noun, show_page
from ecosystem.cli.operator import acting_for
from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem_client import Ecosystem
from ecosystem_client.calling import Channel, Notification

SUMMARY = "Notifications: channels, add, remove, test, list."
STYLES = {"sent": "green", "failed": "red", "waiting": "yellow"}
_LOOK_SECONDS = 0.25


class NoAddress(EcosystemError):
    code, kind, severity = "no_address", Kind.PERMANENT, Severity.LOW
    rule = "A channel needs an address."
    suggestion = "eco notifications add NAME --url-file FILE, or give the address on standard input"


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("channels", "List where messages can go; addresses are shown to nobody.", _channels, company_option),
        Verb("add", "Keep an address under a name; it is read from a file or standard input.", _add, _add_options),
        Verb("remove", "Forget a channel and its address.", _remove, _one),
        Verb("test", "Send a test message, and say whether it arrived.", _test, _test_options),
        Verb("list", "List messages, newest first, and how far they have come.", _list, _list_options),
    )
    return run_noun("notifications", SUMMARY, verbs, arguments)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    # No option for the address itself: what stands in a command line, every process on the machine can read.
    parser.add_argument(
        "--url-file", type=Path, metavar="FILE", help="holds the address, such as mailto://… or slack://…"
    )
    parser.add_argument("--quiet-hours", metavar="HH:MM-HH:MM", help="what is not urgent waits for their end")
    parser.add_argument("--time-zone", default="UTC", metavar="ZONE", help="of the quiet hours (default: UTC)")
    company_option(parser)


def _one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    company_option(parser)


def _test_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait-seconds", type=float, default=30, help="for its end (default: 30)")
    _one(parser)


def _list_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", choices=("waiting", "sending", "sent", "failed"))
    paging_options(parser)
    company_option(parser)


def _channels(parsed: argparse.Namespace) -> int:
    with acting_for(parsed.company) as ecosystem:
        found = ecosystem.notifications.channels()
    if parsed.json:
        screen.as_json({"items": [one.raw for one in found]})
    elif found:
        screen.table(
            ("name", "service", "quiet hours", "time zone", "since"),
            [(one.name, one.service, one.quiet_hours, one.time_zone, screen.when(one.created_at)) for one in found],
        )
    else:
        screen.note("There is no channel yet. Next: eco notifications add NAME")
    return 0


def _add(parsed: argparse.Namespace) -> int:
    url = _address(parsed.url_file)
    with acting_for(parsed.company) as ecosystem:
        channel = ecosystem.notifications.add_channel(
            parsed.name, url, time_zone=parsed.time_zone, quiet_hours=parsed.quiet_hours
        )
    return _told(parsed, channel)


def _address(file: Path | None) -> str:
    """Never out of the command line. Raises NoAddress."""
    if file is not None:
        text = file.read_text(encoding="utf-8", errors="replace")
    else:
        text = getpass.getpass("Address (not shown): ") if sys.stdin.isatty() else sys.stdin.read(8192)
    if not (url := text.strip()):
        raise NoAddress
    return url


def _told(parsed: argparse.Namespace, channel: Channel) -> int:
    if parsed.json:
        screen.as_json(channel.raw)
    else:
        screen.out(screen.clean(f"{channel.name} ({channel.service}) is kept."))
        screen.note(f"Next: eco notifications test {channel.name}")
    return 0


def _remove(parsed: argparse.Namespace) -> int:
    with acting_for(parsed.company) as ecosystem:
        ecosystem.notifications.remove_channel(parsed.name)
    if parsed.json:
        screen.as_json({"name": parsed.name, "removed": True})
    else:
        screen.out(screen.clean(f"{parsed.name} is removed, and its address forgotten."))
    return 0


def _test(parsed: argparse.Namespace) -> int:
    with acting_for(parsed.company) as ecosystem:
        found = _ended(ecosystem, ecosystem.notifications.test_channel(parsed.name), parsed.wait_seconds)
    if parsed.json:
        screen.as_json(found.raw)
    else:
        why = f": {found.problem}" if found.problem else ""
        screen.out(screen.clean(f"{found.notification_id} is {found.state} after {found.attempts} attempts{why}"))
        if found.problem == "address_refused":
            screen.note("Next: monitoring.private_networks allows private networks; eco config show")
    return 0 if found.state == "sent" else 1


def _ended(ecosystem: Ecosystem, found: Notification, wait_seconds: float) -> Notification:
    end = time.monotonic() + wait_seconds
    while not found.ended and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
        found = ecosystem.notifications.get(found.notification_id)
    return found


def _list(parsed: argparse.Namespace) -> int:
    with acting_for(parsed.company) as ecosystem:
        page = pages(
            parsed,
            lambda cursor: ecosystem.notifications.page(state=parsed.state, limit=parsed.limit, cursor=cursor),
        )
    return show_page(
        parsed, page, ("notification", "channel", "state", "attempts", "repeats", "created", "problem"),
        lambda one: (
            one.notification_id, one.channel, one.state, one.attempts, one.repeats, screen.when(one.created_at),
            one.problem,
        ),
        empty="No message was sent yet.", styles=STYLES,
    )  # fmt: skip
