"""The door for agent tasks: notification-agent."""

from ecosystem.contracts.monitoring import (
    FindNotification,
    NotificationFound,
    NotificationsQueued,
    SendNotification,
)
from ecosystem.kernel.agent.call import Call
from ecosystem.kernel.keys.keyring import PLATFORM
from ecosystem.services.monitoring.notifying.service import Message, NotifyingService


class NotificationHandlers:
    def __init__(self, notifying: NotifyingService) -> None:
        self._notifying = notifying

    async def send(self, task: SendNotification, call: Call) -> NotificationsQueued:
        """Keep the message for each channel; it goes out after the commit. Raises ChannelUnknown."""
        message = Message(
            "message", {"title": task.title, "text": task.text}, f"{call.from_agent_id}/{task.dedup_key}"[:200],
            urgent=task.urgent,
        )  # fmt: skip

        async def work() -> NotificationsQueued:
            queued = await self._notifying.send(call.company_id or PLATFORM, task.channels, message)
            return NotificationsQueued(
                notification_ids=tuple(one.notification_id for one in queued),
                repeated=sum(one.repeated for one in queued),
            )

        return await call.commit(work)

    async def find(self, task: FindNotification, call: Call) -> NotificationFound:
        """Raises NotificationUnknown."""
        found = await self._notifying.show(call.company_id or PLATFORM, task.notification_id)
        return NotificationFound(
            notification_id=found.notification_id, channel=found.channel, state=str(found.state),
            attempts=found.attempts, repeats=found.repeats, problem=found.problem, sent_at=found.sent_at,
        )  # fmt: skip
