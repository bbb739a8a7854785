"""What recovery-agent can do itself. Each repair looks again, and is database statements only: with its record it
happens once or not at all."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import text

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.messaging.log import EventLog
from ecosystem.kernel.words import counted
from ecosystem.services.recovery.model import END_SESSION, REDELIVER, TAKE_RUN

_END = text("select kernel.end_session(:pid, :began_at, :seconds)")
_TAKE = text("select kernel.take_from_worker('orchestrator', :run_id, :seconds)")
_LETTERS_MAX = 200


class Repair(Protocol):
    """`act` belongs inside of a unit of work; (whether it did something, what in one sentence)."""

    async def act(self, target: Mapping[str, Any]) -> tuple[bool, str]: ...


class EndSessions:
    """End the sessions that hold the horizon, where they still do."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._database, self._seconds = database, seconds

    async def act(self, target: Mapping[str, Any]) -> tuple[bool, str]:
        answers: dict[int, str] = {}
        for session in target["sessions"]:
            began_at = datetime.fromisoformat(session["began_at"])
            values = {"pid": session["pid"], "began_at": began_at, "seconds": self._seconds}
            answers[session["pid"]] = str((await self._database.session.execute(_END, values)).scalar_one())
        refused = [str(pid) for pid, answer in answers.items() if answer == "not_allowed"]
        if refused:
            return False, f"the server does not let us end session {', '.join(refused)}: an administrator must"
        ended = [str(pid) for pid, answer in answers.items() if answer == "ended"]
        return True, f"ended session {', '.join(ended)}" if ended else "the session was gone already"


class TakeRuns:
    """Take stuck runs from their worker: another goes on behind their last checkpoint."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._database, self._seconds = database, seconds

    async def act(self, target: Mapping[str, Any]) -> tuple[bool, str]:
        taken = 0
        for run_id in target["runs"]:
            values = {"run_id": UUID(run_id), "seconds": self._seconds}
            taken += bool((await self._database.session.execute(_TAKE, values)).scalar_one())
        if not target["runs"]:
            return False, "no worker has them: is orchestrator-agent ready?"
        return True, f"taken from their worker: {taken} of {counted(len(target['runs']), 'run')}"


class Redeliver:
    """Hand the dead letters of a consumer to it again, once each, the oldest first."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def act(self, target: Mapping[str, Any]) -> tuple[bool, str]:
        letters = await self._log.dead_letters(everywhere=True, consumer=target["consumer"], limit=_LETTERS_MAX)
        for letter in reversed(letters):
            await self._log.redeliver(letter.dead_letter_id, everywhere=True)
        return True, f"handed to {target['consumer']} again: {counted(len(letters), 'dead letter')}"


def repairs(database: Database, log: EventLog, *, horizon_seconds: float, run_seconds: float) -> dict[str, Repair]:
    """By the name of the action."""
    return {
        END_SESSION: EndSessions(database, horizon_seconds), TAKE_RUN: TakeRuns(database, run_seconds),
        REDELIVER: Redeliver(log),
    }  # fmt: skip
