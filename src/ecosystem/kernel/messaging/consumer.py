"""What a service does with events: a name, a handler for each type, and how often to try."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ecosystem.kernel.messaging.event import Envelope, Event

Handler = Callable[[Envelope], Awaitable[None]]
HandlerOfMany = Callable[[Sequence[Envelope]], Awaitable[None]]

# An event that its consumer has not come to after 3 s may count as late (`messaging.direct_after_seconds`).
_LOOKS_EVERY_SECONDS_MAX = 2.0


@dataclass(frozen=True)
class Consumer:
    """`name` is unique on the platform and belongs to the login role that registers it first.

    A handler runs inside the consumer's unit of work with the event's company, user and trace set. It may run again
    after a rollback, so it holds database statements only (starting a task is one). Its effects, its inbox row and
    the cursor commit together: effects happen exactly once. Events of one subject arrive in order; an event that
    fails is parked with the later ones of its subject behind it, tried `attempts_max` times, then a dead letter.

    `every` is handed the events of all types that `handlers` does not name, all of a round at once and in the order of
    the log. They are of many companies, so none is set: it sees only what has no fence.

    It is woken by its events. With `looks_every_seconds` it is not: it looks so often, and takes all that came
    meanwhile in one round. For what nobody waits for: its rounds are few, under load as at rest.
    """

    name: str
    handlers: Mapping[type[Event], Handler] = field(default_factory=dict)
    every: HandlerOfMany | None = None
    batch_max: int = 64
    attempts_max: int = 5
    looks_every_seconds: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.batch_max <= 64:
            # PostgreSQL keeps 64 subtransactions at hand; beyond, every reader of the cluster pays.
            raise ValueError("batch_max is 1 to 64")
        if self.looks_every_seconds is not None and not 0 < self.looks_every_seconds <= _LOOKS_EVERY_SECONDS_MAX:
            raise ValueError("looks_every_seconds is at most 2, or its events count as late")

    @property
    def types(self) -> list[str] | None:
        """The event types it wants; None for all."""
        return None if self.every else sorted(kind.event_type for kind in self.handlers)

    def handler(self, event_type: str) -> Handler | None:
        """Who handles one event of this type by itself; None: it is for `every`. Raises KeyError where nobody does."""
        for kind, handler in self.handlers.items():
            if kind.event_type == event_type:
                return handler
        if self.every is None:
            raise KeyError(event_type)
        return None
