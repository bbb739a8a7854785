"""What people and agents ask of recovery-agent, and what they decide."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from ecosystem.contracts.recovery import EpisodeExplained, ErrorClassified, FaultKind, RepairOutcome
from ecosystem.kernel import context
from ecosystem.kernel.audit.audit import Audit
from ecosystem.kernel.errors import Kind
from ecosystem.kernel.foreign import UNKNOWN_ATTEMPTS_MAX, rule_named
from ecosystem.kernel.ids import Ids
from ecosystem.kernel.words import moment
from ecosystem.services.recovery.errors import ActionUnknown, CannotBeUndone, EpisodeOver, EpisodeUnknown, PauseUseless
from ecosystem.services.recovery.model import BY_US, CLEAR, POLICIES, Action, Episode, KindState, Mode, error_of
from ecosystem.services.recovery.repairing.repairing import ALL, Parts, Repairing
from ecosystem.services.recovery.repairing.undoing import why_not_undone

PAUSE, RESUME = "pause", "resume"
_RECORDED = {PAUSE: "repairs_paused", RESUME: "repairs_resumed"}
ATTEMPTS_MAX = 5
"""Of a passing failure, where who calls says nothing else."""


@dataclass(frozen=True)
class Status:
    kinds: list[KindState]
    open_episodes: list[Episode]
    proposed: list[Action]


@dataclass(frozen=True)
class Story:
    episode: Episode
    actions: list[Action]


class RecoveryService:
    def __init__(self, parts: Parts, repairing: Repairing, audit: Audit, ids: Ids) -> None:
        self._parts, self._repairing, self._audit, self._ids = parts, repairing, audit, ids
        self._database, self._recovery = parts.database, parts.recovery

    def classify(self, error: str, attempt: int) -> ErrorClassified:
        """What the kernel does about an error after so many attempts. `error`: a code of ours, or a dotted name."""
        ours = error_of(error)
        rule = rule_named(error)
        if ours is not None:
            kind, why = ours.kind, ours.rule
        elif rule is not None:
            kind, why = Kind(rule.kind), rule.why
        else:
            kind, why = Kind.UNKNOWN, "nobody knows it: it is tried like a passing failure, and then escalated"
        attempts_max = {Kind.PERMANENT: 1, Kind.UNKNOWN: UNKNOWN_ATTEMPTS_MAX}.get(kind, ATTEMPTS_MAX)
        return ErrorClassified(kind=kind, rule=why, attempts_max=attempts_max, escalate=attempt >= attempts_max)

    async def status(self) -> Status:
        """Every kind of fault with its mode and budget, and what is open now."""

        async def work() -> Status:
            states = await self._repairing.states(list(FaultKind))
            proposed = await self._recovery.actions(None, None, 100, RepairOutcome.PROPOSED)
            return Status(list(states.values()), await self._recovery.open_episodes(), proposed)

        return await self._database.read(work)

    async def episodes(self, at: datetime | None, id_: UUID | None, limit: int, *, only_open: bool) -> list[Episode]:
        return await self._database.read(lambda: self._recovery.episodes(at, id_, limit, only_open=only_open))

    async def story(self, id_: UUID) -> Story:
        """Raises EpisodeUnknown."""

        async def work() -> Story:
            episode = await self._recovery.episode(id_)
            if episode is None:
                raise EpisodeUnknown
            return Story(episode, await self._recovery.actions_of(id_))

        return await self._database.read(work)

    async def explain(self, id_: UUID) -> EpisodeExplained:
        """Raises EpisodeUnknown."""
        story = await self.story(id_)
        episode = story.episode
        return EpisodeExplained(
            episode_id=id_, fault=episode.fault, component=episode.component, open=episode.cleared_at is None,
            sentences=tuple(sentences(story)),
        )  # fmt: skip

    async def actions(self, at: datetime | None, id_: UUID | None, limit: int, outcome: str | None) -> list[Action]:
        return await self._database.read(lambda: self._recovery.actions(at, id_, limit, outcome))

    async def approve(self, id_: UUID, by: str) -> Action:
        """Raises ActionUnknown, ActionNotOpen, FaultPaused."""

        async def work() -> Action:
            action = await self._repairing.approve(id_, by)
            await self._record("repair_approved", action)
            return action

        return await self._decide(work)

    async def refuse(self, id_: UUID, by: str, reason: str) -> Action:
        """Raises ActionUnknown, ActionNotOpen."""

        async def work() -> Action:
            action = await self._repairing.refuse(id_, by, reason)
            await self._record("repair_refused", action)
            return action

        return await self._decide(work)

    async def _record(self, deed: str, action: Action) -> None:
        before = {"outcome": RepairOutcome.PROPOSED}
        await self._audit.record(deed, str(action.action_id), before=before, after={"outcome": action.outcome})

    async def clear(self, id_: UUID, by: str, reason: str) -> Action:
        """Declare a fault over that no detector can see gone. Raises EpisodeUnknown, EpisodeOver."""

        async def work() -> Action:
            episode = await self._recovery.episode(id_)
            if episode is None:
                raise EpisodeUnknown
            if episode.cleared_at is not None:
                raise EpisodeOver
            cleared = sum(one.action == CLEAR for one in await self._recovery.actions_of(id_))
            now = self._parts.clock.now()
            action = Action(
                self._ids.uuid(), id_, episode.fault, episode.component, CLEAR, 1 + cleared, RepairOutcome.DONE,
                reason or "a person says that it is over", by, {}, now,
            )  # fmt: skip
            await self._parts.episodes.record(action, None)
            await self._audit.record("fault_cleared", str(id_), before={"open": True}, after={"open": False})
            await self._parts.episodes.clear(episode, now)
            return action

        return await self._decide(work)

    async def pause(self, fault: FaultKind | None, by: str, reason: str) -> Action:
        """Do nothing more about this kind of fault (None: all), until somebody resumes. Raises PauseUseless."""
        if fault is not None and (policy := POLICIES[fault]).repair is None:
            raise PauseUseless(
                f"What is done about {fault} is not ours to pause: it is repaired by {policy.repaired_by}."
            )
        return await self._decide(lambda: self._switch(PAUSE, fault or ALL, Mode.PAUSED, by, reason))

    async def resume(self, fault: FaultKind | None, by: str, reason: str, mode: Mode | None = None) -> Action:
        """Repair this kind again as configured, or in `mode`."""
        return await self._decide(lambda: self._switch(RESUME, fault or ALL, mode, by, reason))

    async def undo(self, id_: UUID, by: str) -> Action:
        """Take back what a person decided: a pause, a resume, a refusal, a fault declared over.

        Raises ActionUnknown, and CannotBeUndone, which says why this one cannot.
        """

        async def work() -> Action:
            action = await self._recovery.lock_action(id_)
            if action is None:
                raise ActionUnknown
            done = action.outcome is RepairOutcome.DONE
            if done and action.action in (PAUSE, RESUME):
                before = action.target.get("before")
                if before == action.target.get("after"):
                    raise CannotBeUndone("It changed nothing: it was so before.", suggestion="eco recovery status")
                await self._recovery.decide(id_, RepairOutcome.UNDONE, action.reason, by)
                opposite = RESUME if action.action == PAUSE else PAUSE
                return await self._switch(opposite, action.fault, Mode(before) if before else None, by, f"undoes {id_}")
            if action.outcome is RepairOutcome.REFUSED and action.decided_by != BY_US:
                again = await self._repairing.propose_again(action, by)
                await self._audit.record(
                    "repair_proposed", str(id_), before={"outcome": action.outcome}, after={"outcome": again.outcome}
                )
                return again
            if done and action.action == CLEAR and action.episode_id is not None:
                return await self._reopen(action, action.episode_id, by)
            raise why_not_undone(action)

        return await self._decide(work)

    async def _reopen(self, action: Action, episode_id: UUID, by: str) -> Action:
        """The fault goes on as the same episode. Raises CannotBeUndone where another of its kind is open by now."""
        if not await self._recovery.reopen(episode_id):
            raise CannotBeUndone(
                "The same fault was seen again since, and goes on as another episode.",
                suggestion="`eco recovery status` shows it.",
            )
        undone = replace(action, outcome=RepairOutcome.UNDONE, decided_by=by, at=self._parts.clock.now())
        await self._recovery.decide(action.action_id, RepairOutcome.UNDONE, action.reason, by)
        await self._audit.record("fault_reopened", str(episode_id), before={"open": False}, after={"open": True})
        await self._parts.episodes.reopened(episode_id, undone)
        return undone

    async def _switch(self, verb: str, fault: str, mode: Mode | None, by: str, reason: str) -> Action:
        before, now = (await self._recovery.modes()).get(fault), self._parts.clock.now()
        if mode is None:
            await self._recovery.unset_mode(fault)
        else:
            await self._recovery.set_mode(fault, mode, by, reason, now)
        target = {"before": before, "after": mode}
        await self._audit.record(_RECORDED[verb], fault, before={"mode": before}, after={"mode": mode})
        action = Action(
            self._ids.uuid(), None, fault, "recovery-agent", verb, 1, RepairOutcome.DONE, reason, by, target, now
        )
        await self._recovery.add_action(action)
        return action

    async def _decide(self, work: Callable[[], Awaitable[Action]]) -> Action:
        """Faults and repairs are the platform's, and so is every decision about them: an administrator whose token is
        for a company leaves nothing of it in that company's log and trail."""
        with context.scope(company_id=None):
            return await self._database.run(work)

    async def forget(self) -> None:
        """What ended longer ago than it is kept."""
        before = self._parts.clock.now() - timedelta(days=self._parts.settings.episodes_kept_days)
        await self._database.run(lambda: self._recovery.forget(before))


def sentences(story: Story) -> list[str]:
    """What is known of an episode, in the order of time."""
    episode = story.episode
    seen = f"{moment(episode.observed_at)} {episode.fault} of {episode.component} was seen: {episode.cause}."
    told = (
        [seen] if episode.since is None else [f"{moment(episode.since)} The trouble began, as far as is known.", seen]
    )
    moments = [
        (one.at, f"{moment(one.at)} {one.action} ({one.outcome}, {_attempt(one)}) by {one.decided_by or one.by}: "
                 f"{one.reason}.") for one in story.actions
    ]  # fmt: skip
    if episode.help_at is not None:
        moments.append((episode.help_at, f"{moment(episode.help_at)} A person was called."))
    told += [sentence for _, sentence in sorted(moments, key=lambda one: one[0])]
    if episode.cleared_at is None:
        return [*told, f"It is still open; runbook {episode.runbook}."]
    seconds = (episode.cleared_at - episode.began_at).total_seconds()
    return [*told, f"{moment(episode.cleared_at)} It was over after {seconds:.1f} s."]


def _attempt(action: Action) -> str:
    left = action.target.get("left")
    return f"attempt {action.attempt}" if left is None else f"attempt {action.attempt}, {left} left"
