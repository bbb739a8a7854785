"""What the route of stories answers."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from ecosystem.services.orchestrator.explaining.model import Source
from ecosystem.services.orchestrator.explaining.service import Story


class MomentShown(BaseModel):
    """`source`: the event log, the journal of the run, or the audit trail."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    source: Source
    sentence: str


class StoryShown(BaseModel):
    """`runs`: those the story is about. `is_whole`: nothing was left out for its size or its age."""

    item_id: UUID
    runs: list[UUID]
    is_whole: bool
    moments: list[MomentShown]

    @classmethod
    def of(cls, story: Story) -> "StoryShown":
        return cls(
            item_id=story.item_id, runs=[run.run_id for run in story.runs], is_whole=story.is_whole,
            moments=[MomentShown.model_validate(moment) for moment in story.moments],
        )  # fmt: skip
