"""The door for agent tasks: event-bus-agent."""

from ecosystem.contracts.events import EventPublished, PublishEvent
from ecosystem.kernel.agent.call import Call
from ecosystem.services.events.service import PublishingService


class EventBusHandlers:
    def __init__(self, publishing: PublishingService) -> None:
        self._publishing = publishing

    async def publish(self, task: PublishEvent, call: Call) -> EventPublished:
        """Append one fact, once for each request. Raises EventTypeUnknown, EventDataRefused."""
        checked = self._publishing.check(task.event_type, task.data, call.from_agent_id)

        async def work() -> EventPublished:
            event_id = await self._publishing.publish(checked)
            return EventPublished(event_id=event_id, event_type=task.event_type)

        return await call.commit(work)
