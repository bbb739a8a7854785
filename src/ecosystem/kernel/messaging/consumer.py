"""What a service does with events: a name, a handler for each type, and how often to try."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from ecosystem.kernel.messaging.event import Envelope, Event

Handler = Callable[[Envelope], Awaitable[None]]


@dataclass(frozen=True)
class Consumer:
    """`name` is unique on the platform and belongs to the login role that registers it first.

    A handler runs inside the consumer's unit of work with the event's company, user and trace set. It may run again
    after a rollback, so it holds database statements only (starting a task is one). Its effects, its inbox row and
    the cursor commit together: effects happen exactly once. Events of one subject arrive in order; an event that
    fails is parked with the later ones of its subject behind it, tried `attempts_max` times, then a dead letter.

    `every` is handed all types that `handlers` does not name. Without `at_once` its events wait for the next poll
    (`messaging.poll_seconds`) and come in bulk: for what nobody waits for.
    """

    name: str
    handlers: Mapping[type[Event], Handler] = field(default_factory=dict)
    every: Handler | None = None
    batch_max: int = 64
    attempts_max: int = 5
    at_once: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.batch_max <= 64:
            # PostgreSQL keeps 64 subtransactions at hand; beyond, every reader of the cluster pays.
            raise ValueError("batch_max is 1 to 64")

    @property
    def types(self) -> list[str] | None:
        """The event types it wants; None for all."""
        return None if self.every else sorted(kind.event_type for kind in self.handlers)

    def handler(self, event_type: str) -> Handler:
        for kind, handler in self.handlers.items():
            if kind.event_type == event_type:
                return handler
        if self.every is None:
            raise KeyError(event_type)
        return self.every
