"""`eco down`: everything stops in order, and what is in flight is finished first."""

import argparse
import os
import signal
import time
from contextlib import suppress

from ecosystem.cli import screen
from ecosystem.cli.noun import duration, guarded
from ecosystem.cli.running import CommandFailed, NothingRuns, SupervisorSilent, command, this_home
from ecosystem.fleet.home import Home
from ecosystem.fleet.processes import STOPPED, run_state, started_ticks
from ecosystem.kernel.errors import Unavailable

SUMMARY = "Stop the platform of this home in order; its data stays."
_POLL_SECONDS = 0.05


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="eco down", description=SUMMARY)
    parser.add_argument(
        "--timeout", type=duration, default=60, metavar="SECONDS", help="how long to wait (default: 60)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parsed = parser.parse_args(arguments)
    return guarded("eco down", lambda: _down(parsed))


def _down(parsed: argparse.Namespace) -> int:
    home, started = this_home(), time.monotonic()
    ran, asked = home.is_locked(), False
    while home.is_locked():
        asked = asked or _ask_to_stop(home)
        if time.monotonic() - started > parsed.timeout:
            raise CommandFailed(f"{home.path} did not stop within {parsed.timeout:g} s.", suggestion="eco status")
        time.sleep(_POLL_SECONDS)
    if parsed.json:
        screen.as_json({"home": str(home.path), "was_running": ran, "seconds": round(time.monotonic() - started, 2)})
    elif ran:
        screen.out(f"Stopped after {time.monotonic() - started:.1f} s. The data stays in {home.path}; eco up goes on.")
    else:
        screen.out(f"Nothing runs in {home.path}.")
    return 0


def _ask_to_stop(home: Home) -> bool:
    """Whether it was asked: one that has just taken the home has not yet said who it is, and is asked again."""
    try:
        for progress in command(home, command="down"):
            screen.note(progress)
    except NothingRuns:
        return False
    except (Unavailable, SupervisorSilent):
        # It holds the home but does not listen (yet): a signal asks for the same, of one that is not stopped.
        state = home.read_state()
        # What a former supervisor left names a process that is gone, or by now another one.
        if state is None or started_ticks(int(state["pid"])) != state["started_ticks"]:
            return False
        if run_state(int(state["pid"])) == STOPPED:
            raise
        with suppress(ProcessLookupError):
            os.kill(int(state["pid"]), signal.SIGTERM)
    return True
