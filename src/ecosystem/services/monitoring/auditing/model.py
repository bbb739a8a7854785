"""Entries of the audit trail, what may be asked of it, and how far a proof of it has come."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from ecosystem.kernel.audit.chain import digest_of
from ecosystem.kernel.keys.keyring import PLATFORM

PROBLEMS_MAX = 50
"""A trail with more is not looked at further: what is wrong with it is told by then."""


@dataclass(frozen=True)
class Entry:
    """One deed: who (`user_id`, `agent_id`), what (`action` on `target`), the change, from where (`source`, trace)."""

    company_id: UUID
    chain: int
    number: int
    event_id: UUID
    action: str
    target: str
    user_id: str | None
    agent_id: str | None
    source: str
    trace_id: str | None
    happened_at: datetime
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    hash: bytes

    @property
    def digest(self) -> bytes:
        return digest_of(vars(self))


@dataclass(frozen=True)
class Head:
    """The last entry of a chain as its head says, and as the entries say (`last`)."""

    chain: int
    number: int
    hash: bytes
    last: int


@dataclass(frozen=True)
class Asked:
    """Filters of a listing. `actor` is the id of a user or of an agent."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Problem:
    """A place of the trail that is not as it was written. `number` is 0 for what the trail lacks."""

    code: str
    chain: int
    number: int
    event_id: UUID | None = None

    def __str__(self) -> str:
        return f"{self.code} in chain {self.chain} at {self.number}"


@dataclass(frozen=True)
class Proof:
    """How far a proof has come; handed back and forth, so that a trail of any length is proved in short steps.

    First each chain is walked up to the head it had when the proof began (`heads`, by chain), then every
    `audit_recorded` of the log is compared with its entry. `waiting`: events that have not been consumed yet.
    """

    heads: dict[int, int] = field(default_factory=dict)
    chain: int | None = None
    number: int = 0
    previous: bytes | None = None
    position: str | None = None
    walked: int = 0
    compared: int = 0
    waiting: int = 0
    problems: tuple[Problem, ...] = ()
    done: bool = False

    def with_problem(self, problem: Problem) -> "Proof":
        """One more; enough of them end the proof."""
        problems = (*self.problems, problem)[:PROBLEMS_MAX]
        return replace(self, problems=problems, done=self.done or len(problems) == PROBLEMS_MAX)

    @property
    def whole(self) -> bool:
        return self.done and not self.problems


def trail_of(company_id: UUID | None) -> UUID:
    """The company under whose fence a trail stands: the platform's own deeds under PLATFORM."""
    return PLATFORM if company_id is None else company_id
