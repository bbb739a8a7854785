"""Channels, quiet hours, and when a message is tried again."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
URL_CHARACTERS_MAX = 2000
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_WAITS_SECONDS = (1, 2, 4, 8, 16, 30, 60, 120, 300)


REASONS = {
    "redirected": "the address answers with a redirect, which is never followed; give the final address",
    "address_refused": "the address is private, and no network of monitoring.private_networks holds it",
    "address_unresolved": "the name of the address leads nowhere that can be checked; give a name of the DNS",
    "address_not_understood": "Apprise does not understand the address; give another",
    "no_answer_in_time": "nothing was answered within monitoring.delivery_seconds",
    "not_accepted": "nobody took it: no connection, or an answer that is none",
    "file_refused": "the address names a file of this machine, which no delivery may open",
    "forbidden_act": "the address asks for what no delivery may do on this machine",
    "channel_removed": "the channel was removed before it was sent",
}
"""What the coded words of problems mean, and what helps. `http_CODE` is the answer of the provider."""


class State(StrEnum):
    """`waiting` to be sent (again), `sending` under a lease; then `sent`, or `failed` for good."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True)
class QuietHours:
    """From `begins` until before `ends`, by the clock on the wall; over midnight where it ends before it begins.

    Where a change of the clocks repeats one of them or leaves it out, the longer quiet counts.
    """

    begins: time
    ends: time

    @classmethod
    def read(cls, text: str) -> "QuietHours":
        """`22:00-07:00`. Raises ValueError."""
        found = _HOURS.fullmatch(text)
        if found is None or found[1] + found[2] == found[3] + found[4]:
            raise ValueError("quiet hours are two times of day that differ, such as 22:00-07:00")
        return cls(time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4])))

    def __str__(self) -> str:
        return f"{self.begins:%H:%M}-{self.ends:%H:%M}"

    def end_after(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet that `moment` falls into is over (UTC), or None where it falls into none."""
        local = moment.astimezone(zone)
        for day in (local.date() - timedelta(days=1), local.date()):
            begins = min(_at(day, self.begins, zone))
            ends = max(_at(day if self.begins < self.ends else day + timedelta(days=1), self.ends, zone))
            if begins <= moment < ends:
                # A change of the clocks may leave out all that lay between one quiet and the next.
                return self.end_after(ends, zone) or ends
        return None


def _at(day: date, clock: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """In UTC, by the clocks before and after a change of them, which differ in what it repeats or leaves out."""
    local = datetime.combine(day, clock, zone)
    return local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)


@dataclass(frozen=True)
class Channel:
    """Where messages go. Its address is a secret; `service` is only the kind of it (`mailto`, `slack`)."""

    channel_id: UUID
    name: str
    service: str
    sealed_url: bytes
    person_id: UUID | None
    time_zone: str
    quiet: str | None
    created_at: datetime

    def due(self, now: datetime, *, urgent: bool) -> datetime:
        """When a message may go out: what is not urgent waits for the end of the quiet hours."""
        if urgent or self.quiet is None:
            return now
        return QuietHours.read(self.quiet).end_after(now, ZoneInfo(self.time_zone)) or now


@dataclass(frozen=True)
class Notification:
    """One message to one channel, as the outbox keeps it. Its text stands sealed beside it."""

    notification_id: UUID
    channel_id: UUID
    channel: str
    template: str
    urgent: bool
    state: State
    attempts: int
    repeats: int
    problem: str | None
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None

    @property
    def reason(self) -> str | None:
        """Its problem in words; None where it has none, or one that is known by its code only."""
        if self.problem is None or not self.problem.startswith("http_"):
            return REASONS.get(self.problem or "")
        return f"the provider answered {self.problem.removeprefix('http_')}"


@dataclass(frozen=True)
class Text:
    """What a person reads. `title` is one line."""

    title: str
    body: str


@dataclass(frozen=True)
class Outcome:
    """Of one attempt. `problem` is a coded word; `final`: trying again is in vain."""

    sent: bool
    problem: str | None = None
    final: bool = False


def wait_after(attempts: int, jitter: float) -> timedelta:
    """Before the next attempt, when `attempts` have failed. `jitter` from 0 to 1 spreads it over half of its length."""
    seconds = _WAITS_SECONDS[min(max(attempts, 1), len(_WAITS_SECONDS)) - 1]
    return timedelta(seconds=seconds * (0.75 + jitter / 2))


def scheme_of(url: str) -> str:
    """`mailto` of `mailto://…`, in lower case; empty where there is none."""
    scheme, separator, _ = url.partition("://")
    return scheme.lower() if separator and re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]{0,39}", scheme) else ""
