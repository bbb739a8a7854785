"""`eco notifications`: where messages go, and which went."""

import argparse
import getpass
import sys
import time
from pathlib import Path

from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, company_option, duration, pages, paging_options, run_noun, show_page
from ecosystem.cli.operator import acting_for
from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem.kernel.words import counted
from ecosystem_client import Ecosystem
from ecosystem_client.calling import Channel, Notification

SUMMARY = "Notifications: channels, add, remove, test, list."
STYLES = {"sent": "green", "failed": "red", "waiting": "yellow"}
_LOOK_SECONDS = 0.25
_NO_CHANNEL = "There is no channel yet. Next: eco notifications add NAME"


class NoAddress(EcosystemError):
    code, kind, severity = "no_address", Kind.PERMANENT, Severity.LOW
    rule = "A channel needs an address."
    suggestion = "eco notifications add NAME --url-file FILE, or give the address on standard input"


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("channels", "List where messages can go; addresses are shown to nobody.", _channels, company_option),
        Verb("add", "Keep an address under a name; it is read from a file or standard input.", _add, _add_options),
        Verb("remove", "Forget a channel and its address.", _remove, _one),
        Verb("test", "Send a test message to channels, and say of each whether it arrived.", _test, _test_options),
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
    parser.add_argument("names", metavar="NAME", nargs="*", help="default: every channel")
    parser.add_argument("--wait-seconds", type=duration, default=30, help="for the end of all (default: 30)")
    company_option(parser)


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
        screen.note(_NO_CHANNEL)
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
    """What is tried is told beside the result, what came of a channel is the result: each as it comes."""
    end = time.monotonic() + parsed.wait_seconds
    with acting_for(parsed.company) as ecosystem:
        names = parsed.names or [one.name for one in ecosystem.notifications.channels()]
        if not names:
            screen.note(_NO_CHANNEL)
            return 1
        asked = [ecosystem.notifications.test_channel(name) for name in dict.fromkeys(names)]
        for one in asked:
            _began(one)
        waiting, failed = asked, False
        while waiting:
            for one in (one for one in waiting if one.ended):
                _came(parsed, one)
                failed = failed or one.state != "sent"
            waiting = [one for one in waiting if not one.ended]
            if not waiting or time.monotonic() >= end:
                break
            time.sleep(_LOOK_SECONDS)
            waiting = [_looked(ecosystem, one) for one in waiting]
    for one in waiting:
        _came(parsed, one)
    if waiting:
        screen.note("Next: eco notifications list says what becomes of it; or --wait-seconds N")
    return 1 if failed or waiting else 0


def _began(one: Notification) -> None:
    if one.repeats:
        before = f"tested at {screen.when(one.created_at)}, and not sent again so soon; this is what came of it"
        screen.note(screen.clean(f"{one.channel}: {before}"))
    elif not one.ended:
        screen.note(screen.clean(f"{one.channel}: test {one.notification_id} is on its way"))


def _looked(ecosystem: Ecosystem, before: Notification) -> Notification:
    """Its state now; an attempt that failed meanwhile is told."""
    found = ecosystem.notifications.get(before.notification_id)
    if found.state == "waiting" and found.problem and (found.attempts, found.state) != (before.attempts, before.state):
        again = f"the next is at {screen.when(found.due_at)}"
        screen.note(screen.clean(f"{found.channel}: attempt {found.attempts} failed, {_why(found)}; {again}"))
    return found


def _came(parsed: argparse.Namespace, found: Notification) -> None:
    if parsed.json:
        screen.as_json_now(found.raw)
        return
    state = found.state if found.ended else "not sent yet"
    why = f": {_why(found)}" if found.problem else ""
    screen.out_now(screen.clean(f"{found.channel}: {state} after {counted(found.attempts, 'attempt')}{why}"))


def _why(found: Notification) -> str:
    return f"{found.problem} ({found.reason})" if found.reason else str(found.problem)


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
