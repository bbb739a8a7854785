"""What a rota is made of: the form of its YAML, which `schemas/rota.schema.json` tells editors."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ecosystem.services.monitoring.errors import RotaRefused
from ecosystem.services.monitoring.notifying.model import QuietHours
from ecosystem.workflow.document import Node, read
from ecosystem.workflow.errors import DefinitionRefused

PROBLEMS_MAX = 50


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("a time zone is a name of the IANA database, such as Europe/Zurich") from None
    return name


def _hours(text: str) -> str:
    QuietHours.read(text)
    return text


Zone = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_zone)]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PersonForm(_Form):
    """A person who can be called. Name and addresses are kept sealed under a key of the person's own."""

    name: str = Field(min_length=1, max_length=100)
    time_zone: Zone | None = Field(default=None, description="Where the person lives; else that of the rota.")
    quiet_hours: Annotated[str, AfterValidator(_hours)] | None = Field(
        default=None, description="Such as 22:00-07:00, there. P1 and P2 pages come all the same."
    )
    notify: tuple[Annotated[str, Field(min_length=1, max_length=2000)], ...] = Field(
        min_length=1, max_length=5, description="Addresses as Apprise writes them, or names of channels."
    )


class HandOver(_Form):
    """Turns change on `first` at `at` and every so many days after, by the clock on the wall of the rota's zone."""

    first: date = Field(description="The day on which the first person's turn begins.")
    at: time = Field(default=time(9, 0), description="Such as 09:00.")
    every_days: int = Field(default=7, ge=1, le=366)


class LevelForm(_Form):
    people: tuple[Key, ...] = Field(min_length=1, max_length=50, description="In the order of their turns.")
    hand_over: HandOver | None = Field(default=None, description="Not needed where one person has all turns.")
    acknowledge_within_minutes: int = Field(
        default=15, ge=1, le=1440, description="Then the next level is called, or the first one again."
    )


class RotaForm(_Form):
    """Who is called, in which order, and when. The first level is called first."""

    format: Literal[1] = 1
    time_zone: Zone = Field(description="Of the hand-overs.")
    rounds: int = Field(default=2, ge=1, le=10, description="How often all levels are called before the end.")
    people: dict[Key, PersonForm] = Field(min_length=1, max_length=100)
    levels: tuple[LevelForm, ...] = Field(min_length=1, max_length=6)


@dataclass(frozen=True)
class Problem:
    """What is wrong in one line of a rota."""

    line: int
    message: str


def parse(text: str) -> tuple[RotaForm, Node]:
    """The rota, and its tree with lines. Raises RotaRefused, whose problems name the lines and quote no value."""
    try:
        tree = read(text, "rota")
    except DefinitionRefused as error:
        raise refused(
            Problem(one.line, one.message.replace("A definition", "A rota")) for one in error.refusals
        ) from None
    try:
        form = RotaForm.model_validate(tree.plain())
    except ValidationError as error:
        found = [
            (one["loc"], one["msg"].removeprefix("Value error, "))
            for one in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise refused(Problem(tree.line_at(place), _said(place, said)) for place, said in found) from None
    if problems := [*_contradictions(form, tree)]:
        raise refused(problems)
    return form, tree


def refused(problems: Iterable[Problem]) -> RotaRefused:
    found = sorted(set(problems), key=lambda problem: (problem.line, problem.message))[:PROBLEMS_MAX]
    said = "; ".join(f"line {one.line}: {one.message}" for one in found[:20])
    return RotaRefused(said, problems=[asdict(one) for one in found])


def _said(place: tuple[str | int, ...], message: str) -> str:
    where = ".".join(str(step) for step in place if isinstance(step, str) and step != "[key]")
    return f"{where}: {message}" if where else message


def _contradictions(form: RotaForm, tree: Node) -> Iterable[Problem]:
    for number, level in enumerate(form.levels):
        place = ("levels", number)
        for position, key in enumerate(level.people):
            if key not in form.people:
                yield Problem(tree.line_at((*place, "people", position)), f"{key} is not among the people.")
        if len(set(level.people)) > 1 and level.hand_over is None:
            yield Problem(tree.line_at(place), "Several people take turns by a hand_over, which is missing.")
    called = {key for level in form.levels for key in level.people}
    for key in form.people:
        if key not in called:
            yield Problem(tree.line_at(("people", key)), f"{key} is on no level: call them, or leave them out.")
