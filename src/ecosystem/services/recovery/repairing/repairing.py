"""Repairing: for each open episode one action at a time, within the budget of its kind; then a person is called."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from ecosystem.contracts.recovery import FaultKind, RepairOutcome
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.words import counted
from ecosystem.services.recovery.errors import ActionNotOpen, ActionUnknown, EpisodeOver, FaultPaused
from ecosystem.services.recovery.model import (
    BY_US,
    DECIDES,
    END_SESSION,
    HOUR,
    POLICIES,
    Action,
    Episode,
    KindState,
    Mode,
    Sighting,
    action_id,
)
from ecosystem.services.recovery.repairing.repairs import Repair
from ecosystem.services.recovery.repository import Recovery
from ecosystem.services.recovery.settings import ServiceSettings
from ecosystem.services.recovery.watching.episodes import Episodes

ALL = "all"
_ATTEMPTS_OF_EPISODE_MAX = 3


@dataclass(frozen=True)
class Parts:
    database: Database
    recovery: Recovery
    episodes: Episodes
    clock: Clock
    settings: ServiceSettings


class Repairing:
    def __init__(self, parts: Parts, repairs: Mapping[str, Repair]) -> None:
        self._parts, self._repairs = parts, repairs
        self._recovery, self._episodes = parts.recovery, parts.episodes
        self._since: dict[UUID, float] = {}

    async def repair(self, seen: Mapping[tuple[FaultKind, str], Sighting]) -> None:
        """One pass over the open episodes. `seen`: what the detectors see now; nothing else is acted upon."""
        open_episodes = await self._parts.database.read(self._recovery.open_episodes)
        self._since = {one.episode_id: self._began(one) for one in open_episodes}
        for episode in open_episodes:
            sighting = seen.get((episode.fault, episode.component))
            await self._parts.database.run(lambda e=episode, s=sighting: self._tend(e, s))  # type: ignore[misc]

    def _began(self, episode: Episode) -> float:
        """When it began, by the clock that nobody sets: a fault is not older because somebody moved the hands."""
        known = self._since.get(episode.episode_id)
        if known is not None:
            return known
        age_seconds = (self._parts.clock.now() - episode.observed_at).total_seconds()
        return self._parts.clock.monotonic() - max(0.0, age_seconds)

    async def _tend(self, episode: Episode, sighting: Sighting | None) -> None:
        now = self._parts.clock.now()
        if sighting is not None and sighting.target and episode.policy.repair is not None:
            await self._act_or_propose(episode, sighting)
        lasts_seconds = self._parts.clock.monotonic() - self._since[episode.episode_id]
        if episode.needs_help(lasts_seconds, self._parts.settings.help_after_seconds):
            reason = f"{episode.fault} of {episode.component} lasts for {lasts_seconds:.0f} s: {episode.cause}"
            if episode.policy.help_after_seconds is not None:
                reason = f"{episode.fault} of {episode.component} needs a decision: {episode.cause}"
            if episode.policy.advice:
                reason = f"{reason}; {episode.policy.advice}"
            await self._episodes.call_help(episode, now, reason[:500], episode.detail)

    async def _act_or_propose(self, episode: Episode, sighting: Sighting) -> None:
        state = (await self.states([episode.fault]))[episode.fault]
        repair = state.repair
        if repair is None or state.mode is Mode.PAUSED:
            return
        before = [one for one in await self._recovery.actions_of(episode.episode_id) if one.action == repair]
        attempt, now = len(before) + 1, self._parts.clock.now()
        if state.mode is Mode.PROPOSE or not self._is_allowed(episode.fault):
            last = before[-1].outcome if before else None
            # What was refused is not asked again; what was approved and did not help is.
            if last not in (RepairOutcome.PROPOSED, RepairOutcome.REFUSED):
                helped = f"approved before, and it came again; {episode.policy.again}" if before else DECIDES
                reason = f"{sighting.cause}: {helped}"
                await self._keep(episode, repair, attempt, RepairOutcome.PROPOSED, reason, sighting, state.budget_left)
            return
        if any(one.outcome is RepairOutcome.PROPOSED for one in before):
            return
        if attempt > _ATTEMPTS_OF_EPISODE_MAX or state.budget_left < 1:
            spent = f"its budget of {counted(state.budget, 'repair')} of {episode.fault} an hour is spent"
            why = spent if state.budget_left < 1 else f"{counted(_ATTEMPTS_OF_EPISODE_MAX, 'attempt')} did not help"
            await self._episodes.call_help(episode, now, f"{episode.component}: {why}", episode.detail)
            return
        done, told = await self._repairs[repair].act(sighting.target)
        outcome = RepairOutcome.DONE if done else RepairOutcome.FAILED
        reason = f"{sighting.cause}: {told}"
        await self._keep(episode, repair, attempt, outcome, reason, sighting, state.budget_left - 1)

    async def _keep(
        self, episode: Episode, repair: str, attempt: int, outcome: RepairOutcome, reason: str, sighting: Sighting,
        budget_left: int,
    ) -> None:  # fmt: skip
        now = self._parts.clock.now()
        action = Action(
            action_id(episode.episode_id, repair, attempt), episode.episode_id, episode.fault, episode.component,
            repair, attempt, outcome, reason, BY_US, dict(sighting.target), now,
        )  # fmt: skip
        await self._episodes.record(action, budget_left)

    def _is_allowed(self, fault: FaultKind) -> bool:
        return POLICIES[fault].repair != END_SESSION or self._parts.settings.horizon_end_sessions

    async def states(self, faults: list[FaultKind]) -> dict[FaultKind, KindState]:
        """How these kinds are dealt with now. Belongs inside of `run` or `read`."""
        modes = await self._recovery.modes()
        spent = await self._recovery.spent(self._parts.clock.now(), HOUR)
        open_episodes = await self._recovery.open_episodes()
        found = {}
        for fault in faults:
            policy, settings = POLICIES[fault], self._parts.settings
            budget = settings.repairs_per_hour_max.get(fault, policy.repairs_per_hour) if policy.repair else 0
            usual = Mode.PROPOSE if policy.only_proposed or fault in settings.propose_only else Mode.ACT
            mode = modes.get(ALL) if modes.get(ALL) is Mode.PAUSED else modes.get(fault, usual)
            found[fault] = KindState(
                fault, mode or usual, policy.repaired_by, policy.remedy, policy.repair, budget,
                max(0, budget - spent.get(fault, 0)),
                sum(one.fault is fault for one in open_episodes),
            )  # fmt: skip
        return found

    async def approve(self, id_: UUID, by: str) -> Action:
        """Do what is proposed, once, whatever the budget says. Raises ActionUnknown, ActionNotOpen, FaultPaused."""

        async def work() -> Action:
            action = await self._proposed(id_)
            state = (await self.states([FaultKind(action.fault)]))[FaultKind(action.fault)]
            if state.mode is Mode.PAUSED:
                raise FaultPaused
            approved = replace(action, outcome=RepairOutcome.APPROVED, decided_by=by, at=self._parts.clock.now())
            await self._episodes.tell(approved, state.budget_left)
            done, told = await self._repairs[action.action].act(action.target)
            outcome = RepairOutcome.DONE if done else RepairOutcome.FAILED
            return await self._decided(approved, outcome, told, by)

        return await self._parts.database.run(work)

    async def refuse(self, id_: UUID, by: str, reason: str) -> Action:
        """Leave undone what is proposed. Raises ActionUnknown, ActionNotOpen."""

        async def work() -> Action:
            action = await self._proposed(id_)
            return await self._decided(action, RepairOutcome.REFUSED, reason or "a person refused it", by)

        return await self._parts.database.run(work)

    async def propose_again(self, action: Action, by: str) -> Action:
        """What a person refused waits for a decision again. Inside of a unit of work. Raises EpisodeOver."""
        episode = await self._recovery.episode(action.episode_id) if action.episode_id else None
        if episode is None or episode.cleared_at is not None:
            raise EpisodeOver
        return await self._decided(action, RepairOutcome.PROPOSED, f"{by} took the refusal back", by)

    async def _proposed(self, id_: UUID) -> Action:
        action = await self._recovery.lock_action(id_)
        if action is None:
            raise ActionUnknown
        if action.outcome is not RepairOutcome.PROPOSED:
            raise ActionNotOpen(f"This action is {action.outcome}.")
        return action

    async def _decided(self, action: Action, outcome: RepairOutcome, reason: str, by: str) -> Action:
        decided = replace(action, outcome=outcome, reason=reason, decided_by=by, at=self._parts.clock.now())
        await self._recovery.decide(action.action_id, outcome, reason, by, decided.at)
        state = (await self.states([FaultKind(action.fault)]))[FaultKind(action.fault)]
        await self._episodes.tell(decided, state.budget_left)
        return decided
