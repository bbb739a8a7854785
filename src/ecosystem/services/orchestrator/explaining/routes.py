"""The door for HTTP: the story of a run or a document."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.services.orchestrator.explaining.schemas import StoryShown
from ecosystem.services.orchestrator.explaining.service import StoryService

Reader = Annotated[Principal, Depends(requires("runs:read", company=True))]


def router(service: StoryService) -> APIRouter:
    routes = APIRouter(tags=["runs"])

    @routes.get("/v1/runs/{item_id}/story")
    async def tell_story(item_id: UUID, _: Reader) -> StoryShown:
        """What is recorded of a run, or of a document and its runs, in plain sentences and in the order of time."""
        return StoryShown.of(await service.tell(item_id))

    return routes
