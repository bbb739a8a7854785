"""`eco status`: every process of this home, how it is and why."""

import argparse
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ecosystem.cli import screen
from ecosystem.cli.noun import duration, guarded
from ecosystem.cli.running import NothingRuns, all_ready, last_state, this_home, with_memory
from ecosystem.fleet.home import Home
from ecosystem.kernel.words import counted

SUMMARY = "Every process with its state; exit code 0 only if all are ready."
_POLL_SECONDS = 0.1
_STYLES = {"ready": "green", "starting": "yellow", "draining": "yellow", "degraded": "red", "backing off": "red"}
_COLUMNS = ("process", "state", "pid", "version", "uptime", "restarts", "memory", "weight", "reason")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="eco status", description=SUMMARY)
    parser.add_argument("--wait", nargs="?", type=duration, const=60, metavar="SECONDS", help="until all is ready (60)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parsed = parser.parse_args(arguments)
    return guarded("eco status", lambda: _status(parsed))


def _status(parsed: argparse.Namespace) -> int:
    home = this_home()
    try:
        state = _awaited(home, parsed.wait) if parsed.wait else last_state(home)
    except NothingRuns:
        if not parsed.json:
            raise
        screen.as_json({"home": str(home.path), "state": "stopped", "processes": []})
        return 1
    with_memory(state)
    if parsed.json:
        screen.as_json(state)
    else:
        _show(home, state)
    return 0 if all_ready(state) else 1


def _awaited(home: Home, seconds: float) -> dict[str, Any]:
    """The state once all is ready, or as it is when the time is over."""
    end = time.monotonic() + seconds
    while True:
        try:
            state = last_state(home)
            if all_ready(state) or state.get("is_stopped") or time.monotonic() > end:
                return state
        except NothingRuns:
            if time.monotonic() > end:
                raise
        time.sleep(_POLL_SECONDS)


def _show(home: Home, state: dict[str, Any]) -> None:
    processes = state["processes"]
    screen.table(_COLUMNS, [row for process in processes for row in _rows(process)], _STYLES)
    total = sum(process["memory_bytes"] or 0 for process in processes)
    waiting = [process["process"] for process in processes if process["state"] != "ready"]
    late = ", ".join(waiting) or "the edge"
    told = "all ready" if all_ready(state) else f"not ready: {late}"
    if state["state"] not in ("ready", "starting"):
        told = f"{state['state']}; {told}"
    if state["state"] == "unresponsive":
        told = "unresponsive"
    screen.out(f"{told}. {state.get('reason') or ''}".rstrip())
    screen.facts((("edge", state.get("edge_url")), ("home", home.path), ("memory", _megabytes(total))))


def _rows(process: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """A process, and beneath it its sandbox with what that alone costs."""
    memory, sandbox = process["memory_bytes"], process["sandbox"]
    yield (
        process["process"], process["state"], process["pid"], process["version"],
        uptime(process["started_at"]) if process["pid"] else "", process["restarts"],
        "" if memory is None else _megabytes(memory - (sandbox["memory_bytes"] if sandbox else 0)),
        process["weight"] if process["kind"] == "service" else "", _reason(process),
    )  # fmt: skip
    if sandbox:
        within = f"{counted(sandbox['spawners'], 'spawner')}, {counted(sandbox['workers'], 'worker')}"
        yield (f"  its sandbox ({within})", "", "", "", "", "", _megabytes(sandbox["memory_bytes"]), "", "")


def _reason(process: dict[str, Any]) -> str:
    """Why it is as it is; of one that is ready again, how the one before it ended, and when."""
    reason = str(process["reason"])
    if process["state"] == "ready" and reason and reason == process.get("last_end"):
        return f"{reason}, {uptime(process['last_end_at'])} ago"
    return reason


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.0f} MB"


def uptime(started_at: str | None) -> str:
    """`3 s`, `12 min`, `5 h`, `9 d` since an ISO instant."""
    if started_at is None:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(started_at)).total_seconds())
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
