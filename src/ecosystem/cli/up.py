"""`eco up`: start the platform of this home, tell the progress, and say where everything is.

The start is begun before anything heavy is imported; how to tell what came of it is imported meanwhile.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

from ecosystem.fleet.place import config_file, our_command
from ecosystem.fleet.processes import die_with_parent

SUMMARY = "Start the platform of this home and wait until all of it is ready."


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="eco up", description=SUMMARY)
    parser.add_argument("--config", type=Path, help="settings (default: ECO_CONFIG, else ./eco.toml if it is there)")
    parser.add_argument("--foreground", action="store_true", help="stay until Ctrl-C or SIGTERM, then stop everything")
    parser.add_argument("--json", action="store_true", help="print the state as JSON once all is ready")
    parsed = parser.parse_args(arguments)
    with os.fdopen(os.memfd_create("eco up"), "w+b") as errors:
        return _up(parsed, errors)


def _up(parsed: argparse.Namespace, errors: IO[bytes]) -> int:
    started = time.monotonic()
    reading, writing = os.pipe()
    process = _supervise(parsed, writing, None if parsed.foreground else errors)
    os.close(writing)
    if parsed.foreground:
        _forward_signals(process)
    try:
        from ecosystem.cli import arrival

        said = _follow(reading)
    except KeyboardInterrupt:
        process.terminate()
        sys.stderr.write("interrupted: stopping …\n")
        process.wait()
        return 130
    code = arrival.tell(said, process, errors, time.monotonic() - started, as_json=parsed.json)
    if said.get("progress") != "ready":
        return code
    if parsed.foreground:
        return _stay(process)
    process.returncode = 0  # it goes on without us
    return code


def _supervise(parsed: argparse.Namespace, status: int, errors: IO[bytes] | None) -> "subprocess.Popen[bytes]":
    """The supervisor as a process: in a session of its own, or in the foreground ended when we end."""
    config = config_file(parsed.config)
    command = our_command("ecosystem", "supervise", "--status-fd", str(status))
    command += ["--config", str(config)] if config else []
    return subprocess.Popen(  # noqa: S603 our own words
        command, pass_fds=[status], stdin=subprocess.DEVNULL, stdout=errors or subprocess.DEVNULL,
        stderr=errors or subprocess.DEVNULL, start_new_session=True,
        preexec_fn=(lambda: die_with_parent(signal.SIGTERM)) if parsed.foreground else None,  # noqa: PLW1509 one thread
    )  # fmt: skip


def _follow(reading: int) -> dict[str, Any]:
    """Progress until the supervisor is ready, refuses, or ends; its last word."""
    with os.fdopen(reading) as pipe:
        for line in pipe:
            said: dict[str, Any] = json.loads(line)
            if "error" in said or said.get("progress") == "ready":
                return said
            sys.stderr.write(f"{said.get('progress', '')}\n")
    return {}


def _forward_signals(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: process.terminate())


def _stay(process: "subprocess.Popen[bytes]") -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            sys.stderr.write("stopping …\n")
            process.terminate()
