"""What came of `eco up`: the platform is there, was there before, or refused to start."""

import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from ecosystem.cli import screen
from ecosystem.cli.noun import guarded, refuse
from ecosystem.cli.running import last_state, this_home
from ecosystem.fleet.home import Home

_VOLATILE = ("tmpfs", "ramfs")


def tell(
    said: dict[str, Any], process: "subprocess.Popen[bytes]", errors: IO[bytes], seconds: float, *, as_json: bool
) -> int:
    """Tell the supervisor's last word `said`, which came after `seconds`; the exit code of the command."""
    return guarded("eco up", lambda: _tell(said, process, errors, seconds, as_json=as_json))


def _tell(
    said: dict[str, Any], process: "subprocess.Popen[bytes]", errors: IO[bytes], seconds: float, *, as_json: bool
) -> int:
    home = this_home()
    if said.get("code") == "already_running":
        return _already_running(home, as_json=as_json)
    if said.get("progress") == "ready":
        return _tell_ready(home, seconds, as_json=as_json)
    if process.wait() == 0:
        # In order, but not what this command was asked for: a script that waits for a platform must not go on.
        return refuse("eco up", f"The platform of {home.path} was stopped while it started.", "eco up starts it again")
    if "error" in said:
        return refuse("eco up", str(said["error"]), said.get("next"))
    return refuse("eco up", _last_words(errors, process), "eco logs supervisor")


def _already_running(home: Home, *, as_json: bool) -> int:
    state = last_state(home)
    if as_json:
        screen.as_json(state)
    else:
        screen.out(f"A platform already runs in {home.path} (pid {state['pid']}, {state['state']}).")
        screen.facts([("edge", state.get("edge_url"))])
        screen.out("Next: eco status    eco restart    eco down    ECO_HOME=FOLDER eco up starts another beside it")
    return 0


def _tell_ready(home: Home, seconds: float, *, as_json: bool) -> int:
    state = last_state(home)
    if as_json:
        screen.as_json(state)
        return 0
    screen.out(f"Ecosystem {state['version']} is ready after {seconds:.1f} s.")
    screen.facts(
        (
            ("edge", state["edge_url"]),
            ("  before", _moved(state.get("edge_port_before"))),
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
    return 0


def _moved(port: int | None) -> str | None:
    if port is None:
        return None
    return f"port {port}, which something else holds now; fleet.edge_port asks for one port and no other"


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
