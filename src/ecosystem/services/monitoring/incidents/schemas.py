"""What the routes of incidents accept and return."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ecosystem.contracts.monitoring import IncidentState, Priority
from ecosystem.kernel.http.pagination import encode_cursor
from ecosystem.kernel.http.texts import ONE_LINE
from ecosystem.services.monitoring.incidents.model import Incident, What
from ecosystem.services.monitoring.incidents.postmortem import WHYS, FollowUp, Written
from ecosystem.services.monitoring.incidents.reading import Story
from ecosystem.services.monitoring.incidents.status import How

Text = Annotated[str, Field(max_length=2000)]


class IncidentListed(BaseModel):
    """`began_at`: since when there was trouble, as far as is known; `opened_at`: when it was noticed; `respond_by`:
    when somebody must have answered. `caused_by`: the number of the incident that is its cause.

    A company sees itself alone among `companies`.
    """

    model_config = ConfigDict(from_attributes=True)

    incident_id: UUID
    number: int
    state: IncidentState
    priority: Priority
    title: str
    fault: str
    component: str
    cause: str
    runbook: str | None
    faults: int
    episodes: int
    companies: list[UUID]
    began_at: datetime
    opened_at: datetime
    seen_at: datetime
    respond_by: datetime
    acknowledged_at: datetime | None
    closed_at: datetime | None
    caused_by: int | None


class LineShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    at: datetime
    what: What
    said: str
    by: str | None
    detail: dict[str, Any]


class EpisodeShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    episode_id: UUID
    began_at: datetime
    cleared_at: datetime | None
    by_itself: bool | None
    repair_seconds: float | None
    paged_at: datetime | None


class IncidentShown(IncidentListed):
    """`trace_ids` and `runbook` are where to look further: `eco logs --trace ID`, docs/runbooks.

    `timeline` is one page of `lines` lines, the next of which `next_cursor` brings; `episodes_shown` are the newest of
    `episodes`.
    """

    faulty_since: datetime
    help_needed: bool
    paged_at: datetime | None
    acknowledged_by: str | None
    closed_by: str | None
    closed_reason: str | None
    instances: list[str]
    trace_ids: list[str]
    episodes_shown: list[EpisodeShown]
    timeline: list[LineShown]
    lines: int
    next_cursor: str | None

    @classmethod
    def of(cls, story: Story) -> "IncidentShown":
        last = story.timeline[-1] if story.more else None
        return cls.model_validate(
            {
                **vars(story.incident), "title": story.incident.title,
                "episodes_shown": [EpisodeShown.model_validate(one) for one in story.episodes],
                "timeline": [LineShown.model_validate(line) for line in story.timeline], "lines": story.lines,
                "next_cursor": encode_cursor(last.at, last.number) if last else None,
            }
        )  # fmt: skip


class Resolution(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, ONE_LINE] = Field(
        min_length=1, max_length=500, description="Why it is over. Ids and codes, no names of people."
    )


class FollowUpWritten(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)

    what: Annotated[str, ONE_LINE] = Field(min_length=1, max_length=2000)
    owner: Annotated[str, ONE_LINE] = Field(min_length=1, max_length=200)
    due: date | None = None


class PostmortemWritten(BaseModel):
    """What people add to the draft."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    summary: Text = ""
    whys: list[Text] = Field(default_factory=list, max_length=WHYS)
    follow_ups: list[FollowUpWritten] = Field(default_factory=list, max_length=50)
    lessons: list[Text] = Field(default_factory=list, max_length=50)

    def value(self) -> Written:
        follow_ups = tuple(FollowUp(one.what, one.owner, one.due) for one in self.follow_ups)
        return Written(self.summary, tuple(self.whys), follow_ups, tuple(self.lessons))


class PostmortemAsked(PostmortemWritten):
    """It replaces what was written before, of which its writer must know."""

    instead_of: AwareDatetime | None = Field(
        default=None, description="`written_at` of what it replaces; none where nothing is written yet."
    )


class PostmortemShown(BaseModel):
    """`markdown` is the whole document, safe to show; `written` is None while it is a draft of what is recorded."""

    incident_id: UUID
    number: int
    markdown: str
    written: PostmortemWritten | None
    written_by: str | None
    written_at: datetime | None


class StatusShown(BaseModel):
    """What everybody may know: does it work, which parts do, and since when not."""

    model_config = ConfigDict(from_attributes=True)

    status: How
    parts: dict[str, How]
    since: datetime | None
    as_of: datetime


def listed(incident: Incident) -> IncidentListed:
    return IncidentListed.model_validate(incident)
