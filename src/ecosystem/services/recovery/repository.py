"""All SQL of recovery-agent. Each method belongs inside of `database.run` or `database.read`."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, text

from ecosystem.contracts.recovery import FaultKind, RepairOutcome
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.errors import Severity
from ecosystem.services.recovery.model import Action, Episode, Mode, Sighting, episode_id

_EPISODE = (
    "episode_id, fault, component, number, instance, waiting, quiet_since, cause, severity, companies, runbook, detail,"
    " observed_at, since, help_at, cleared_at"
)
_ACTION = (
    "action_id, episode_id, fault, component, action, attempt, outcome, reason, by, target, at, decided_by"
)  # fmt: skip
_OPEN = text(f"select {_EPISODE} from episodes where cleared_at is null order by observed_at, episode_id")  # noqa: S608
_ONE = text(f"select {_EPISODE} from episodes where episode_id = :id")  # noqa: S608
_LIST = text(
    f"select {_EPISODE} from episodes where (cast(:at as timestamptz) is null or (observed_at, episode_id)"  # noqa: S608
    " < (:at, cast(:id as uuid))) and (not :only_open or cleared_at is null)"
    " order by observed_at desc, episode_id desc limit :limit"
)
_RECENT = text(
    "select exists (select from episodes where fault = any(:faults)"
    " and (cast(:component as text) is null or component = :component)"
    " and (cleared_at is null or cleared_at > :since))"
)
_NUMBER = text("select coalesce(max(number), 0) + 1 from episodes where component = :component and fault = :fault")
_ADD = text(
    "insert into episodes (episode_id, fault, component, number, instance, waiting, cause, severity, companies,"
    " runbook, detail, observed_at, since) values (:id, :fault, :component, :number, :instance, :waiting, :cause,"
    " :severity, :companies, :runbook, cast(:detail as jsonb), :at, :since) on conflict do nothing returning episode_id"
)
_GOES_ON = text("update episodes set cause = :cause, detail = cast(:detail as jsonb) where episode_id = :id")
_OPEN_ONE = text(
    f"select {_EPISODE} from episodes where fault = :fault and component = :component and cleared_at is null for update"  # noqa: S608
)
_WAIT_FOR = text(
    "update episodes set waiting = array_append(waiting, case when cardinality(waiting) < :most then :name else 'more'"
    " end) where episode_id = :id and not :name = any(waiting) and cardinality(waiting) <= :most"
)
_WAIT_NO_MORE = text(
    "update episodes set waiting = array_remove(waiting, :name) where episode_id = :id returning cardinality(waiting)"
)
_WAIT = text("update episodes set waiting = :waiting, quiet_since = :quiet_since where episode_id = :id")
_HELP = text("update episodes set help_at = :at where episode_id = :id and help_at is null returning episode_id")
_CLEAR = text(
    "update episodes set cleared_at = :at, waiting = '{}' where episode_id = :id and cleared_at is null"
    " returning episode_id"
)
_REOPEN = text(
    "update episodes e set cleared_at = null where episode_id = :id and cleared_at is not null and not exists (select"
    " from episodes o where o.component = e.component and o.fault = e.fault and o.cleared_at is null)"
    " returning episode_id"
)
_FORGET = text(
    "delete from episodes e where cleared_at < :before and number < (select max(number) from episodes l"
    " where l.component = e.component and l.fault = e.fault)"
)
_FORGET_ACTIONS = text("delete from actions where episode_id is null and at < :before")
_ADD_ACTION = text(
    f"insert into actions ({_ACTION}) values (:action_id, :episode_id, :fault, :component, :action, :attempt, :outcome,"  # noqa: S608
    " :reason, :by, cast(:target as jsonb), :at, :decided_by) on conflict do nothing returning action_id"
)
_DECIDE = text(
    "update actions set outcome = :outcome, reason = :reason, decided_by = :decided_by,"
    " at = coalesce(cast(:at as timestamptz), at) where action_id = :id"
)
_LOCK_ACTION = text(f"select {_ACTION} from actions where action_id = :id for update")  # noqa: S608
_ACTIONS = text(
    f"select {_ACTION} from actions where (cast(:at as timestamptz) is null or (at, action_id)"  # noqa: S608
    " < (:at, cast(:id as uuid))) and (cast(:outcome as text) is null or outcome = :outcome)"
    " order by at desc, action_id desc limit :limit"
)
_ACTIONS_OF = text(f"select {_ACTION} from actions where episode_id = :id order by at, attempt")  # noqa: S608
_SPENT = text(
    "select fault, count(*) from actions where at > :since and by = 'recovery-agent' and outcome in ('done', 'failed')"
    " group by fault"
)
_MODES = text("select fault, mode from modes")
_SET_MODE = text(
    "insert into modes as m (fault, mode, by, reason, at) values (:fault, :mode, :by, :reason, :at)"
    " on conflict (fault) do update set mode = excluded.mode, by = excluded.by, reason = excluded.reason,"
    " at = excluded.at"
)
_UNSET_MODE = text("delete from modes where fault = :fault")
_POSITION = text("select life, sequence from journal_position")
_LOCK_POSITION = text("select life, sequence from journal_position for update")
_MOVE = text("update journal_position set life = :life, sequence = :sequence")


class Recovery:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def open_episodes(self) -> list[Episode]:
        return [_episode(row) for row in await self._db.session.execute(_OPEN)]

    async def episode(self, id_: UUID) -> Episode | None:
        row = (await self._db.session.execute(_ONE, {"id": id_})).one_or_none()
        return _episode(row) if row else None

    async def episodes(self, at: datetime | None, id_: UUID | None, limit: int, *, only_open: bool) -> list[Episode]:
        """Newest first, before the one observed `at` with this id."""
        values = {"at": at, "id": id_, "limit": limit, "only_open": only_open}
        return [_episode(row) for row in await self._db.session.execute(_LIST, values)]

    async def is_recent(self, faults: Sequence[FaultKind], component: str | None, since: datetime) -> bool:
        """Whether one of these faults of the component (None: any) is open or was until `since`."""
        values = {"faults": [str(fault) for fault in faults], "component": component, "since": since}
        return bool((await self._db.session.execute(_RECENT, values)).scalar_one())

    async def add_episode(self, seen: Sighting, severity: Severity, runbook: str) -> Episode | None:
        """The new episode, or None where this fault of this component is open already."""
        key = {"component": seen.component, "fault": str(seen.fault)}
        number = int((await self._db.session.execute(_NUMBER, key)).scalar_one())
        waiting = [seen.instance] if seen.instance else []
        id_ = episode_id(seen.fault, seen.component, number)
        values = key | {
            "id": id_, "number": number, "instance": seen.instance, "waiting": waiting, "cause": seen.cause,
            "severity": str(severity), "companies": list(seen.companies), "runbook": runbook,
            "detail": _json(seen.detail), "at": seen.at, "since": seen.since,
        }  # fmt: skip
        added = (await self._db.session.execute(_ADD, values)).one_or_none()
        return await self.episode(id_) if added else None

    async def goes_on(self, id_: UUID, seen: Sighting) -> None:
        """The cause of an episode, and what is measured of it, are those of this later sighting."""
        await self._db.session.execute(_GOES_ON, {"id": id_, "cause": seen.cause, "detail": _json(seen.detail)})

    async def open_one(self, fault: FaultKind, component: str) -> Episode | None:
        """The open episode, so that nobody else changes it in this moment."""
        row = (await self._db.session.execute(_OPEN_ONE, {"fault": str(fault), "component": component})).one_or_none()
        return _episode(row) if row else None

    async def wait_for(self, id_: UUID, name: str, most: int) -> None:
        """Add to what the episode waits for; behind `most` only a mark that there is more, which nothing takes away."""
        await self._db.session.execute(_WAIT_FOR, {"id": id_, "name": name, "most": most})

    async def wait_no_more(self, id_: UUID, name: str) -> int:
        """Strike it off; for how many others the episode waits."""
        return int((await self._db.session.execute(_WAIT_NO_MORE, {"id": id_, "name": name})).scalar_one())

    async def keep_waiting(self, id_: UUID, waiting: Sequence[str], quiet_since: datetime | None) -> None:
        await self._db.session.execute(_WAIT, {"id": id_, "waiting": list(waiting), "quiet_since": quiet_since})

    async def call_help(self, id_: UUID, at: datetime) -> bool:
        """False: somebody was called for this episode before."""
        return (await self._db.session.execute(_HELP, {"id": id_, "at": at})).one_or_none() is not None

    async def clear(self, id_: UUID, at: datetime) -> bool:
        """False: it was cleared before."""
        return (await self._db.session.execute(_CLEAR, {"id": id_, "at": at})).one_or_none() is not None

    async def reopen(self, id_: UUID) -> bool:
        """False: it is open, or another episode of its component and fault is."""
        return (await self._db.session.execute(_REOPEN, {"id": id_})).one_or_none() is not None

    async def forget(self, before: datetime) -> None:
        """What ended before; the newest of its kind stays, so that numbers never come twice."""
        await self._db.session.execute(_FORGET, {"before": before})
        await self._db.session.execute(_FORGET_ACTIONS, {"before": before})

    async def add_action(self, action: Action) -> bool:
        """False: this attempt is recorded already."""
        values = {**vars(action), "outcome": str(action.outcome), "target": _json(action.target)}
        return (await self._db.session.execute(_ADD_ACTION, values)).one_or_none() is not None

    async def decide(
        self, id_: UUID, outcome: RepairOutcome, reason: str, by: str, at: datetime | None = None
    ) -> None:  # fmt: skip
        """`at`: when what it is now was done; None where that is as before."""
        values = {"id": id_, "outcome": str(outcome), "reason": reason, "decided_by": by, "at": at}
        await self._db.session.execute(_DECIDE, values)

    async def lock_action(self, id_: UUID) -> Action | None:
        """The action, so that nobody else decides about it in this moment."""
        row = (await self._db.session.execute(_LOCK_ACTION, {"id": id_})).one_or_none()
        return _action(row) if row else None

    async def actions(self, at: datetime | None, id_: UUID | None, limit: int, outcome: str | None) -> list[Action]:
        """Newest first, before the one done `at` with this id."""
        values = {"at": at, "id": id_, "limit": limit, "outcome": outcome}
        return [_action(row) for row in await self._db.session.execute(_ACTIONS, values)]

    async def actions_of(self, episode: UUID) -> list[Action]:
        return [_action(row) for row in await self._db.session.execute(_ACTIONS_OF, {"id": episode})]

    async def spent(self, now: datetime, window: timedelta) -> dict[str, int]:
        """Our own repairs within the window, by kind of fault."""
        rows = await self._db.session.execute(_SPENT, {"since": now - window})
        return {str(fault): int(count) for fault, count in rows}

    async def modes(self) -> Mapping[str, Mode]:
        return {str(fault): Mode(mode) for fault, mode in await self._db.session.execute(_MODES)}

    async def set_mode(self, fault: str, mode: Mode, by: str, reason: str, at: datetime) -> None:
        values = {"fault": fault, "mode": str(mode), "by": by, "reason": reason, "at": at}
        await self._db.session.execute(_SET_MODE, values)

    async def unset_mode(self, fault: str) -> None:
        await self._db.session.execute(_UNSET_MODE, {"fault": fault})

    async def position(self, *, lock: bool = False) -> tuple[str, int]:
        """(life, sequence) of the last line of the journal that was dealt with."""
        life, sequence = (await self._db.session.execute(_LOCK_POSITION if lock else _POSITION)).one()
        return str(life), int(sequence)

    async def move(self, life: str, sequence: int) -> None:
        await self._db.session.execute(_MOVE, {"life": life, "sequence": sequence})


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value, default=str).decode()


def _episode(row: Row[Any]) -> Episode:
    values = dict(row._mapping)
    values |= {
        "fault": FaultKind(row.fault), "severity": Severity(row.severity), "waiting": tuple(row.waiting),
        "companies": tuple(row.companies),
    }  # fmt: skip
    return Episode(**values)


def _action(row: Row[Any]) -> Action:
    return Action(**{**row._mapping, "outcome": RepairOutcome(row.outcome)})
