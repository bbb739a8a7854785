"""What the routes of rotas and pages accept and answer."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ecosystem.contracts.monitoring import Priority
from ecosystem.services.monitoring.calling.model import Page, Person
from ecosystem.services.monitoring.calling.paging import Told
from ecosystem.services.monitoring.calling.service import Standing
from ecosystem.services.monitoring.notifying.wording import plain


class PersonShown(BaseModel):
    """`key` is what the rota calls them. Where messages to them go is not shown."""

    person_id: UUID
    key: str | None
    name: str | None
    time_zone: str
    quiet_hours: str | None
    channels: int

    @classmethod
    def of(cls, person: Person) -> "PersonShown":
        return cls(
            person_id=person.person_id, key=person.key, name=person.name, time_zone=person.time_zone,
            quiet_hours=person.quiet, channels=len(person.channels),
        )  # fmt: skip


class TurnShown(BaseModel):
    """Who is on call at a level (from 1); `next_hand_over` is None where one person has all turns."""

    level: int
    person: PersonShown
    overridden: bool
    next_hand_over: datetime | None
    acknowledge_within_minutes: int


class OverrideShown(BaseModel):
    override_id: UUID
    level: int
    person: str | None
    from_at: datetime
    to_at: datetime


class RotaShown(BaseModel):
    version: int
    time_zone: str
    rounds: int
    as_of: datetime
    on_call: list[TurnShown]
    people: list[PersonShown]
    overrides: list[OverrideShown]

    @classmethod
    def of(cls, standing: Standing) -> "RotaShown":
        turns = [
            TurnShown(
                level=one.level + 1, person=PersonShown.of(one.person), overridden=one.overridden,
                next_hand_over=one.next_hand_over, acknowledge_within_minutes=int(one.within.total_seconds() // 60),
            )
            for one in standing.turns
        ]  # fmt: skip
        overrides = [
            OverrideShown(
                override_id=one.override_id, level=one.level + 1, person=_key(standing.people, one.person_id),
                from_at=one.from_at, to_at=one.to_at,
            )
            for one in standing.overrides
        ]  # fmt: skip
        return cls(
            version=standing.rota.version, time_zone=standing.rota.time_zone, rounds=standing.rota.rounds,
            as_of=standing.as_of, on_call=turns, people=[PersonShown.of(one) for one in standing.people.values()],
            overrides=overrides,
        )  # fmt: skip


def _key(people: Mapping[UUID, Person], person_id: UUID) -> str | None:
    person = people.get(person_id)
    return person.key if person else None


class RotaAsked(BaseModel):
    """`text` is YAML in the form of schemas/rota.schema.json."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=65_536, repr=False)


class OverrideAsked(BaseModel):
    """Times without an offset are read in the rota's zone."""

    model_config = ConfigDict(extra="forbid")

    person: str = Field(min_length=1, max_length=40, description="What the rota calls the person.")
    level: int = Field(default=1, ge=1, le=6)
    from_at: datetime | None = Field(default=None, description="Default: now.")
    to_at: datetime


def _whole(characters_max: int) -> Callable[[str], str]:
    """Refuses what a message could not say whole: links are written out in it, which makes them longer."""

    def check(words: str) -> str:
        if len(plain(words, 2 * characters_max)) > characters_max:
            raise ValueError(f"its links written out, it is longer than {characters_max} characters")
        return words

    return check


class PageAsked(BaseModel):
    """The same `key` while its page is open is the same page; none: a page of its own."""

    model_config = ConfigDict(extra="forbid")

    priority: Priority = Priority.P2
    title: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_whole(200))]
    summary: Annotated[str, Field(max_length=500), AfterValidator(_whole(500))] = ""
    runbook: str | None = Field(default=None, max_length=60, pattern=r"^[a-z][a-z0-9_]*$")
    incident_id: UUID | None = None
    key: UUID | None = None


class CallShown(BaseModel):
    """`person_id` is None where there was no rota and every channel was told."""

    at: datetime
    level: int
    round: int
    person_id: UUID | None
    notifications: list[UUID]


class PageShown(BaseModel):
    page_id: UUID
    incident_id: UUID | None
    priority: str
    title: str
    summary: str
    runbook: str | None
    state: str
    level: int
    round: int
    climbs_at: datetime | None
    requested_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    calls: list[CallShown] = []

    @classmethod
    def of(cls, page: Page) -> "PageShown":
        return cls(
            page_id=page.page_id, incident_id=page.incident_id, priority=page.priority, title=page.title,
            summary=page.summary, runbook=page.runbook, state=page.state, level=page.level + 1, round=page.round + 1,
            climbs_at=page.climbs_at if page.state == "open" else None, requested_at=page.requested_at,
            ended_at=page.ended_at, ended_by=page.ended_by,
        )  # fmt: skip

    @classmethod
    def told(cls, told: Told) -> "PageShown":
        calls = [
            CallShown(at=one.at, level=one.level + 1, round=one.round + 1, person_id=one.person_id,
                      notifications=one.notifications)
            for one in told.calls
        ]  # fmt: skip
        return cls.of(told.page).model_copy(update={"calls": calls})
