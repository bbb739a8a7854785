"""`eco up`: start the platform of this home, tell the progress, and say where everything is."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ecosystem.cli import screen
from ecosystem.cli.noun import guarded, refuse
from ecosystem.cli.running import config_file, last_state, this_home
from ecosystem.fleet.home import Home
from ecosystem.fleet.processes import die_with_parent

SUMMARY = "Start the platform of this home and wait until all of it is ready."
_VOLATILE = ("tmpfs", "ramfs")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="eco up", description=SUMMARY)
    parser.add_argument("--config", type=Path, help="settings (default: ECO_CONFIG, else ./eco.toml if it is there)")
    parser.add_argument("--foreground", action="store_true", help="stay until Ctrl-C or SIGTERM, then stop everything")
    parser.add_argument("--json", action="store_true", help="print the state as JSON once all is ready")
    parsed = parser.parse_args(arguments)
    return guarded("eco up", lambda: _up(parsed))


def _up(parsed: argparse.Namespace) -> int:
    home, started = this_home(), time.monotonic()
    with tempfile.TemporaryFile() as errors:
        reading, writing = os.pipe()
        process = _supervise(parsed, writing, None if parsed.foreground else errors)
        os.close(writing)
        if parsed.foreground:
            _forward_signals(process)
        try:
            said = _follow(reading)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGTERM)
            screen.note("interrupted: stopping …")
            process.wait()
            return 130
        if said.get("code") == "already_running":
            return _already_running(home, as_json=parsed.json)
        if "error" in said or not said:
            process.wait()
            if process.returncode == 0:
                return 0  # stopped in order while it was starting
            return refuse("eco up", str(said.get("error") or _last_words(errors, process)), said.get("next"))
        _tell_ready(home, time.monotonic() - started, as_json=parsed.json)
        if not parsed.foreground:
            process.returncode = 0  # it goes on without us
            return 0
    return _stay(process)


def _supervise(parsed: argparse.Namespace, status: int, errors: IO[bytes] | None) -> "subprocess.Popen[bytes]":
    """The supervisor as a process: in a session of its own, or in the foreground ended when we end."""
    config = config_file(parsed.config)
    command = [sys.executable, "-m", "ecosystem", "supervise", "--status-fd", str(status)]
    command += ["--config", str(config)] if config else []
    return subprocess.Popen(  # noqa: S603 our own words
        command, pass_fds=[status], stdin=subprocess.DEVNULL, stdout=errors or subprocess.DEVNULL,
        stderr=errors or subprocess.DEVNULL, start_new_session=True,
        preexec_fn=(lambda: die_with_parent(signal.SIGTERM)) if parsed.foreground else None,  # noqa: PLW1509 one thread
    )  # fmt: skip


def _follow(reading: int) -> dict[str, Any]:
    """Progress until the supervisor is ready, refuses, or ends; its last word."""
    for said in _lines(reading):
        if "error" in said or said.get("progress") == "ready":
            return said
        screen.note(str(said.get("progress", "")))
    return {}


def _lines(reading: int) -> Iterator[dict[str, Any]]:
    with os.fdopen(reading) as pipe:
        for line in pipe:
            yield json.loads(line)


def _forward_signals(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: process.terminate())


def _stay(process: "subprocess.Popen[bytes]") -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            screen.note("stopping …")
            process.terminate()


def _already_running(home: Home, *, as_json: bool) -> int:
    state = last_state(home)
    if as_json:
        screen.as_json(state)
    else:
        screen.out(f"A platform already runs in {home.path} (pid {state['pid']}, {state['state']}).")
        screen.facts([("edge", state.get("edge_url"))])
        screen.out("Next: eco status    eco restart    eco down    ECO_HOME=FOLDER eco up starts another beside it")
    return 0


def _tell_ready(home: Home, seconds: float, *, as_json: bool) -> None:
    state = last_state(home)
    if as_json:
        screen.as_json(state)
        return
    screen.out(f"Ecosystem {state['version']} is ready after {seconds:.1f} s.")
    screen.facts(
        (
            ("edge", state["edge_url"]),
            ("its authority", f"{state['edge_ca']} (curl --cacert)"),
            ("data", f"{home.path}, {_persistence(home.path)}"),
            ("logs", home.logs),
        )
    )
    if home.first_credential.exists():
        screen.out(f"first administrator: a one-time credential is in {home.first_credential}; eco login uses it.")
        if sys.stdout.isatty():
            # To a terminal only: what is piped may end in a log.
            screen.out(f"  {home.first_credential.read_text().strip()}")
    screen.out("Next: eco login    eco status    eco logs creditx -f    eco demo    eco down")


def _persistence(folder: Path) -> str:
    """Whether what is written there survives a restart of the machine."""
    best = ("", "")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        place = place.replace("\\040", " ")
        if folder.is_relative_to(place) and len(place) >= len(best[0]):
            best = (place, kind)
    return "in memory: gone when this machine restarts" if best[1] in _VOLATILE else "kept on disk"


def _last_words(errors: IO[bytes], process: "subprocess.Popen[bytes]") -> str:
    errors.seek(0)
    words = errors.read()[-2000:].decode(errors="replace").strip()
    return f"The supervisor ended with code {process.returncode}. {words}".strip()
