"""The door for agent tasks: recovery-agent."""

from ecosystem.contracts.recovery import ClassifyError, EpisodeExplained, ErrorClassified, ExplainEpisode
from ecosystem.kernel.agent.call import Call
from ecosystem.services.recovery.service import RecoveryService


class RecoveryHandlers:
    def __init__(self, recovery: RecoveryService) -> None:
        self._recovery = recovery

    async def classify(self, task: ClassifyError, call: Call) -> ErrorClassified:
        """Never fails: what nobody knows is unknown."""
        return self._recovery.classify(task.error, task.attempt)

    async def explain(self, task: ExplainEpisode, call: Call) -> EpisodeExplained:
        """Raises EpisodeUnknown."""
        return await self._recovery.explain(task.episode_id)
