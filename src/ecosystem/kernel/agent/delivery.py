"""Direct delivery of events: from a publisher whose log is late to the agent that takes them for a consumer."""

from collections.abc import Collection, Mapping

from ecosystem.kernel.agent.call import Call
from ecosystem.kernel.agent.card import AgentCard, DeliverEvent, EventDelivered
from ecosystem.kernel.agent.client import AgentClient
from ecosystem.kernel.errors import NotFound
from ecosystem.kernel.messaging.direct import Hint
from ecosystem.kernel.messaging.position import Position
from ecosystem.kernel.messaging.runner import ConsumerRunner

_SECONDS = 5.0


class AgentDelivery:
    """The publisher's side. `service` is in whose name it asks."""

    def __init__(self, agents: AgentClient, cards: Mapping[str, AgentCard], service: str) -> None:
        self._agents, self._service = agents, service
        self._agent_of = {consumer: card.id for card in cards.values() for consumer in card.consumers}

    @property
    def consumers(self) -> Collection[str]:
        return self._agent_of

    async def deliver(self, hint: Hint) -> bool:
        at = hint.position
        task = DeliverEvent(
            consumer=hint.consumer, slot=hint.slot, epoch=at.epoch, xid=at.xid, id=at.id, recorded_at=hint.recorded_at
        )
        # The id of the event is that of the question: however often it is asked, it is the same delivery.
        answer = await self._agents.call(
            task, to=self._agent_of[hint.consumer], sender=self._service, timeout_seconds=_SECONDS,
            request_id=str(hint.event_id),
        )  # fmt: skip
        return isinstance(answer, EventDelivered) and answer.events is not None


class EventIntake:
    """The consumer's side. `runners` by the consumer's name; they only deliver, the runtime's own follow the log."""

    def __init__(self, runners: Mapping[str, ConsumerRunner]) -> None:
        self._runners = runners

    async def take(self, task: DeliverEvent, _: Call) -> EventDelivered:
        runner = self._runners.get(task.consumer)
        if runner is None:
            raise NotFound("This service has no consumer of that name.")
        at = Position(task.epoch, task.xid, task.id)
        return EventDelivered(events=await runner.deliver(task.slot, at, task.recorded_at))
