"""Episodes as they open, wait, call for help and are cleared; each change is told in the unit of work that makes it."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from ecosystem.contracts.recovery import FaultCleared, FaultObserved, HelpNeeded, RepairOutcome, RepairRecorded
from ecosystem.kernel.messaging.outbox import Outbox
from ecosystem.services.recovery.model import (
    BY_SUPERVISOR,
    BY_US,
    POLICIES,
    RESTART,
    Action,
    Episode,
    Sighting,
    action_id,
    event_id,
)
from ecosystem.services.recovery.repository import Recovery
from ecosystem.services.recovery.watching.journal import Restart

RESTARTED = f"{RESTART} by {BY_SUPERVISOR}"


class Episodes:
    """Each method belongs inside of a unit of work."""

    def __init__(self, recovery: Recovery, outbox: Outbox) -> None:
        self._recovery, self._outbox = recovery, outbox

    async def observe(self, seen: Sighting) -> Episode | None:
        """Open an episode and tell of it; None where it is open already."""
        policy = POLICIES[seen.fault]
        episode = await self._recovery.add_episode(seen, policy.severity, seen.runbook or policy.runbook)
        if episode is None:
            return None
        await self._outbox.add(_observed(episode), event_id=event_id(episode.episode_id, "observed"))
        return episode

    async def goes_on(self, episode: Episode, seen: Sighting) -> None:
        """The same fault once more, with what is known of it now: kept, and told again."""
        await self._recovery.goes_on(episode.episode_id, seen)
        later = replace(episode, cause=seen.cause, detail=seen.detail, observed_at=seen.at, since=episode.began_at)
        told = event_id(episode.episode_id, f"observed/{seen.at.isoformat()}")
        await self._outbox.add(_observed(later), event_id=told)

    async def reopened(self, id_: UUID, undone: Action) -> None:
        """What was declared over goes on: the same episode is told once more."""
        episode = await self._recovery.episode(id_)
        assert episode is not None
        await self.tell(undone, None)
        await self._outbox.add(_observed(episode), event_id=event_id(undone.action_id, "observed"))

    async def clear(self, episode: Episode, at: datetime, ended_by: str | None = None) -> None:
        """`ended_by`: what ended it, where no action that is recorded of this episode did."""
        if not await self._recovery.clear(episode.episode_id, at):
            return
        actions = await self._recovery.actions_of(episode.episode_id)
        for open_one in (one for one in actions if one.outcome is RepairOutcome.PROPOSED):
            await self._withdraw(open_one, at)
        done = [f"{one.action} by {one.decided_by or one.by}" for one in actions if one.outcome is RepairOutcome.DONE]
        ended_by = done[-1] if done else ended_by
        cleared = FaultCleared(
            episode_id=episode.episode_id, cleared_at=at, by_itself=ended_by is None, repaired_by=ended_by,
            repair_seconds=max(0.0, round((at - episode.began_at).total_seconds(), 3)),
        )  # fmt: skip
        # Who undoes a person's word that it was over lets it end once more.
        undone = sum(one.outcome is RepairOutcome.UNDONE for one in actions)
        await self._outbox.add(cleared, event_id=event_id(episode.episode_id, f"cleared/{undone}"))

    async def _withdraw(self, action: Action, at: datetime) -> None:
        """Nobody should decide about a fault that is over."""
        over = replace(
            action, outcome=RepairOutcome.REFUSED, reason="the fault was over before anybody decided",
            decided_by=BY_US, at=at,
        )  # fmt: skip
        await self._recovery.decide(action.action_id, over.outcome, over.reason, BY_US)
        await self.tell(over, None)

    async def call_help(self, episode: Episode, at: datetime, reason: str, detail: dict[str, Any]) -> None:
        """Once for an episode, however often this is called."""
        if await self._recovery.call_help(episode.episode_id, at):
            needed = HelpNeeded(episode_id=episode.episode_id, reason=reason, detail=detail)
            await self._outbox.add(needed, event_id=event_id(episode.episode_id, "help"))

    async def record(self, action: Action, budget_left: int | None) -> bool:
        """Keep what was done, tried or proposed, and tell of it. False: this attempt is recorded already."""
        if not await self._recovery.add_action(action):
            return False
        await self.tell(action, budget_left)
        return True

    async def tell(self, action: Action, budget_left: int | None) -> None:
        """Tell what became of an action; one that a person took about a kind of fault is in the audit trail alone."""
        if action.episode_id is None:
            return
        recorded = RepairRecorded(
            episode_id=action.episode_id, action_id=action.action_id, action=action.action, outcome=action.outcome,
            reason=action.reason, by=action.decided_by or action.by, attempt=action.attempt, budget_left=budget_left,
            at=action.at,
        )  # fmt: skip
        await self._outbox.add(
            recorded, event_id=event_id(action.action_id, f"{action.outcome}/{action.at.isoformat()}")
        )

    async def restarted(
        self, episode: Episode, at: datetime, instance: str, restart: Restart, *, done: bool, reason: str
    ) -> None:  # fmt: skip
        """The supervisor brought a process back, or tried to: it acts and counts, we keep the record."""
        outcome = RepairOutcome.DONE if done else RepairOutcome.FAILED
        action = Action(
            action_id(episode.episode_id, f"{RESTART}/{restart.line}", restart.attempt), episode.episode_id,
            episode.fault, episode.component, RESTART, restart.attempt, outcome, reason, BY_SUPERVISOR,
            {"instance": instance, "left": restart.left}, at,
        )  # fmt: skip
        await self.record(action, restart.left)


def _observed(episode: Episode) -> FaultObserved:
    return FaultObserved(
        episode_id=episode.episode_id, fault=episode.fault, component=episode.component, instance=episode.instance,
        cause=episode.cause, severity=episode.severity, companies=episode.companies, runbook=episode.runbook,
        observed_at=episode.observed_at, since=episode.since, detail=episode.detail,
    )  # fmt: skip
