"""An agent as its service hosts it: a card and a handler for each of its tasks."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ecosystem.kernel.agent.call import Call
from ecosystem.kernel.agent.card import AgentCard, DeliverEvent, Result, Task

Handler = Callable[[Any, Call], Awaitable[Result]]


class AgentHost:
    """`AgentHost(VALIDATION_AGENT, {ValidateDocument: handlers.validate})`.

    Raises:
        TypeError: a task of the card has no handler, or a handler is for a task that the card does not name.
    """

    def __init__(self, card: AgentCard, handlers: Mapping[type[Task], Handler]) -> None:
        named, handled = set(card.tasks), set(handlers)
        if named != handled:
            unmatched = ", ".join(sorted(task.__name__ for task in named ^ handled))
            raise TypeError(f"{card.id}: its card and its handlers differ in {unmatched}")
        self.card = card
        self._by_type = {task.request_type: (task, handler) for task, handler in handlers.items()}

    def take_events(self, handler: Handler) -> None:
        """Answer `DeliverEvent` for the consumers of the card."""
        self._by_type[DeliverEvent.request_type] = (DeliverEvent, handler)

    def find(self, request_type: str) -> tuple[type[Task], Handler] | None:
        return self._by_type.get(request_type)
