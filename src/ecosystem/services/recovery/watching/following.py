"""Following the journal: each line is dealt with once, by whichever replica comes first."""

from dataclasses import replace
from datetime import datetime, timedelta

from ecosystem.contracts.recovery import FaultKind
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.services.recovery.model import Episode, Sighting
from ecosystem.services.recovery.repository import Recovery
from ecosystem.services.recovery.watching.episodes import RESTARTED, Episodes
from ecosystem.services.recovery.watching.journal import (
    Back,
    GivenUp,
    JournalFile,
    Line,
    Meaning,
    failed_restart,
    looping,
    meanings,
    stopped_restart,
)

_ENDS = frozenset({FaultKind.INSTANCE_DEAD, FaultKind.INSTANCE_FROZEN, FaultKind.ENGINE_DEAD, FaultKind.ENGINE_FROZEN})
_LINES_AT_ONCE = 10
"""In one unit of work, which has two seconds: a storm of lines must come through all the same."""


class Following:
    def __init__(
        self, database: Database, recovery: Recovery, episodes: Episodes, journal: JournalFile, clock: Clock,
        calm_seconds: float,
    ) -> None:  # fmt: skip
        self._database, self._recovery, self._episodes = database, recovery, episodes
        self._journal, self._clock, self._calm = journal, clock, timedelta(seconds=calm_seconds)

    async def follow(self) -> int:
        """Deal with what is new in the journal; how many lines that were. Raises DatabaseUnavailable."""
        if not self._journal.has_news:
            return 0
        mark, handled = self._journal.mark, 0
        life, sequence = await self._database.read(self._recovery.position)
        lines = self._journal.after(life, sequence)
        for start in range(0, len(lines), _LINES_AT_ONCE):
            some = lines[start : start + _LINES_AT_ONCE]
            handled += await self._database.run(lambda some=some: self._take(some))  # type: ignore[misc]
        self._journal.done(mark)
        return handled

    async def _take(self, lines: list[Line]) -> int:
        # Locked, not read: another replica may have dealt with some of these since.
        position = await self._recovery.position(lock=True)
        names = [(line.life, line.sequence) for line in lines]
        fresh = lines[names.index(position) + 1 :] if position in names else lines
        for line in fresh:
            for meaning in meanings(line):
                await self._apply(meaning)
        if fresh:
            await self._recovery.move(fresh[-1].life, fresh[-1].sequence)
        return len(fresh)

    async def _apply(self, meaning: Meaning) -> None:
        match meaning:
            case Sighting():
                await self._seen(meaning)
            case GivenUp(sighting, reason):
                episode = await self._seen(sighting)
                detail = {"instance": sighting.instance, **sighting.target}
                if episode is not None and sighting.instance is not None:
                    # Told beside the call for help, which may have come before, after a while of the loop.
                    await self._episodes.restarted(
                        episode, sighting.at, sighting.instance, stopped_restart(sighting), done=False, reason=reason
                    )
                    await self._episodes.call_help(episode, sighting.at, reason, detail)
            case Back():
                await self._back(meaning)

    async def _seen(self, seen: Sighting) -> Episode | None:
        """Open an episode, or add to the open one; that one."""
        open_episodes = await self._recovery.open_episodes()
        loop = next((one for one in open_episodes if _is_loop_of(one, seen)), None)
        if loop is not None and seen.fault in _ENDS:
            await self._loops_on(loop, seen)
            return loop
        episode = await self._episodes.observe(seen)
        for former in open_episodes:
            if former.component == seen.component and former.quiet_since is not None:
                await self._recovery.keep_waiting(former.episode_id, former.waiting, None)
        if episode is not None:
            return episode
        known = next((one for one in open_episodes if (one.fault, one.component) == seen.key), None)
        if known is None or seen.instance is None:
            return known
        if seen.instance not in known.waiting:
            await self._recovery.keep_waiting(known.episode_id, (*known.waiting, seen.instance), None)
        elif seen.fault is not FaultKind.CRASH_LOOP:
            await self._failed(known, seen)
        return known

    async def _loops_on(self, loop: Episode, seen: Sighting) -> None:
        """One more end of what ends again and again is no trouble of its own."""
        if loop.quiet_since is None:
            await self._failed(loop, seen)
        await self._recovery.keep_waiting(loop.episode_id, loop.waiting, None)
        await self._episodes.goes_on(loop, looping(seen))

    async def _failed(self, episode: Episode, seen: Sighting) -> None:
        assert seen.instance is not None
        await self._episodes.restarted(
            episode, seen.at, seen.instance, failed_restart(seen), done=False, reason=seen.cause
        )

    async def _back(self, back: Back) -> None:
        """The restart is told once, of the crash loop where there is one, and ends whatever else waited for it."""
        instance = back.instance
        episodes = [one for one in await self._recovery.open_episodes() if instance in one.waiting]
        episodes.sort(key=lambda one: one.fault is not FaultKind.CRASH_LOOP)
        if episodes and not back.gone:
            reason = f"{instance} is ready again after: {episodes[0].cause}"
            await self._episodes.restarted(episodes[0], back.at, instance, back.restart, done=True, reason=reason)
        for episode in episodes:
            if episode.fault is FaultKind.CRASH_LOOP and not back.gone:
                # Ready is what it was before each of its ends: only calm ends a crash loop.
                await self._recovery.keep_waiting(episode.episode_id, episode.waiting, back.at)
                continue
            waiting = tuple(one for one in episode.waiting if one != instance)
            await self._recovery.keep_waiting(episode.episode_id, waiting, None)
            if not waiting:
                ended_by = "a planned stop" if back.gone else RESTARTED
                await self._episodes.clear(replace(episode, waiting=()), back.at, ended_by)

    async def end_calm(self) -> None:
        """Clear the crash loops that have been quiet for long enough."""

        async def work() -> None:
            now = self._clock.now()
            for episode in await self._recovery.open_episodes():
                if self._is_calm(episode, now):
                    await self._episodes.clear(episode, now)

        await self._database.run(work)

    def _is_calm(self, episode: Episode, now: datetime) -> bool:
        return (
            episode.fault is FaultKind.CRASH_LOOP
            and episode.quiet_since is not None
            and now - episode.quiet_since >= self._calm
        )


def _is_loop_of(episode: Episode, seen: Sighting) -> bool:
    return (
        episode.fault is FaultKind.CRASH_LOOP
        and episode.component == seen.component
        and seen.instance in episode.waiting
    )
