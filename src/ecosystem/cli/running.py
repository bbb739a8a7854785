"""The fleet of this home as commands see it: whether its supervisor runs, what it says, and what it is asked to do."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecosystem.cli import screen
from ecosystem.fleet.asking import ask
from ecosystem.fleet.errors import FleetRefused
from ecosystem.fleet.home import Home
from ecosystem.fleet.memory import memory_of_group
from ecosystem.fleet.place import default_home
from ecosystem.fleet.processes import STOPPED, children_of_all, run_state
from ecosystem.kernel.errors import EcosystemError, Kind, Severity, Unavailable

CHANGE_SECONDS = 300
_LOOK_SECONDS = 5


class NothingRuns(EcosystemError):
    code, kind, severity = "not_running", Kind.TRANSIENT, Severity.LOW
    rule = "No platform runs in this home."
    suggestion = "eco up (another home: ECO_HOME=FOLDER eco …)"


class SupervisorSilent(FleetRefused):
    code = "supervisor_silent"
    rule = "The supervisor does what is asked for, and it does not answer."
    suggestion = "eco logs supervisor"


class StateDamaged(SupervisorSilent):
    code = "state_damaged"
    rule = "The supervisor does not answer, and the file that names its process cannot be read."


class CommandFailed(FleetRefused):
    code = "command_failed"
    rule = "The supervisor could not do what it was asked for."
    suggestion = "eco status"


def this_home() -> Home:
    return Home(default_home(os.environ))


def last_state(home: Home) -> dict[str, Any]:
    """What the supervisor says now; where it does not answer, what it wrote last.

    Raises NothingRuns, StateDamaged.
    """
    if not home.is_locked():
        raise NothingRuns(f"No platform runs in {home.path}.")
    kept = home.read_state() or {}
    try:
        for answer in ask(Path(kept.get("control") or home.control), _LOOK_SECONDS, command="state"):
            if "state" in answer:
                return dict(answer["state"])
    except Unavailable:
        if "pid" in kept:
            silence = _silence(kept)
            return kept | {
                "state": "unresponsive", "is_stopped": _is_stopped(kept),
                "reason": f"{silence.message} Next: {silence.next_step}",
            }  # fmt: skip
    if "pid" not in kept:
        raise _unnamed(home)
    return kept


def _unnamed(home: Home) -> EcosystemError:
    """Somebody holds the home, and nobody says who: it has just begun, or its file was damaged."""
    if not home.state_file.exists():
        return NothingRuns(f"No platform runs in {home.path} yet; one is being started.")
    return StateDamaged(
        f"A platform runs in {home.path}, it does not answer, and {home.state_file} is damaged.",
        suggestion=f"eco logs supervisor; fuser {home.path / 'lock'} names its process: kill -9 PID and eco up begin"
        " anew, and nothing is lost.",
    )


def _is_stopped(state: dict[str, Any]) -> bool:
    return run_state(int(state["pid"])) == STOPPED


def _silence(state: dict[str, Any]) -> SupervisorSilent:
    pid = state["pid"]
    if _is_stopped(state):
        return SupervisorSilent(
            f"The supervisor (pid {pid}) is stopped, and what is shown is what it knew before.",
            suggestion=f"kill -CONT {pid} lets it go on; kill -9 {pid} and eco up begin anew, and nothing is lost.",
        )
    return SupervisorSilent(f"The supervisor (pid {pid}) does not answer, and what is shown is what it knew before.")


def command(home: Home, **question: Any) -> Iterator[str]:
    """Ask the supervisor and hear its progress.

    Raises NothingRuns, SupervisorSilent, CommandFailed with its reason and next step.
    """
    state = last_state(home)
    if state["state"] == "unresponsive":
        raise _silence(state)
    for answer in ask(Path(state["control"]), CHANGE_SECONDS, **question):
        if "error" in answer:
            raise CommandFailed(str(answer["error"]), suggestion=answer.get("next"))
        if "progress" in answer:
            yield str(answer["progress"])


def obey(home: Home, *, as_json: bool, **question: Any) -> int:
    """A command with its progress beside the result; the state afterwards as JSON where that is wanted."""
    for progress in command(home, **question):
        screen.note(progress)
    if as_json:
        screen.as_json(with_memory(last_state(home)))
    return 0


def with_memory(state: dict[str, Any]) -> dict[str, Any]:
    """`state` with `memory_bytes` of every process (proportional set size, all below it included).

    `sandbox` is what of it parses customers' bytes: `memory_bytes`, `spawners`, `workers`; None where there is none.
    """
    children = children_of_all()
    for process in state.get("processes", []):
        found = memory_of_group(process["pid"], children) if process.get("pid") else None
        process["memory_bytes"] = found.total_bytes if found else None
        process["sandbox"] = (
            {"memory_bytes": found.sandbox_bytes, "spawners": found.spawners, "workers": found.workers}
            if found and found.sandbox_bytes else None
        )  # fmt: skip
    return state


def all_ready(state: dict[str, Any]) -> bool:
    processes = state.get("processes", [])
    return state.get("state") == "ready" and all(process["state"] == "ready" for process in processes)
