"""Who is on call, pages, channels and messages, as the platform answers them."""

from dataclasses import dataclass
from datetime import datetime

from ecosystem_client.reading import Model


@dataclass(frozen=True, kw_only=True)
class Person(Model):
    """`key` is what the rota calls them. Where messages to them go is never told."""

    person_id: str
    key: str | None = None
    name: str | None = None
    time_zone: str | None = None
    quiet_hours: str | None = None
    channels: int = 0


@dataclass(frozen=True, kw_only=True)
class Turn(Model):
    """Who is on call at a level, from 1; `next_hand_over` is None where one person has all turns."""

    level: int
    person: Person
    overridden: bool = False
    next_hand_over: datetime | None = None
    acknowledge_within_minutes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Override(Model):
    override_id: str
    level: int
    from_at: datetime
    to_at: datetime
    person: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rota(Model):
    """The rota as it stands, and who is on call at `as_of`, by level."""

    version: int
    time_zone: str
    as_of: datetime
    rounds: int | None = None
    on_call: tuple[Turn, ...] = ()
    people: tuple[Person, ...] = ()
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Call(Model):
    """Who was told of a page; `person_id` is None where there was no rota and every channel was told."""

    at: datetime
    level: int
    round: int
    person_id: str | None = None
    notifications: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CalledPage(Model):
    """`state`: open until somebody takes it (acknowledged); withdrawn with its incident; unanswered. `calls` come with
    a single one, not in lists."""

    page_id: str
    priority: str
    title: str
    state: str
    level: int
    requested_at: datetime
    summary: str | None = None
    incident_id: str | None = None
    runbook: str | None = None
    climbs_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Channel(Model):
    """Where messages can go. `service` is the kind of its address, which is a secret."""

    name: str
    service: str
    time_zone: str | None = None
    quiet_hours: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Notification(Model):
    """A message to one channel. `state`: waiting, sending, sent, failed.

    `problem` is a coded word for the last attempt that failed, `reason` the same in words.

    `repeats`: how often the same message came again within its window, and was not sent again.
    """

    notification_id: str
    channel: str
    state: str
    template: str | None = None
    urgent: bool = False
    attempts: int = 0
    repeats: int = 0
    problem: str | None = None
    reason: str | None = None
    created_at: datetime | None = None
    due_at: datetime | None = None
    sent_at: datetime | None = None

    @property
    def ended(self) -> bool:
        return self.state in ("sent", "failed")
