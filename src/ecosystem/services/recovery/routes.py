"""The door for HTTP: what is wrong, what was done about it, and what a person decides."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from ecosystem.contracts.recovery import RepairOutcome
from ecosystem.kernel.http.pagination import Cursor, Limit, Page, moment_and_id, page_of
from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.services.recovery.schemas import (
    ActionShown,
    Decision,
    EpisodeShown,
    KindShown,
    StatusShown,
    StoryShown,
    Switch,
)
from ecosystem.services.recovery.service import RecoveryService, sentences

Reader = Annotated[Principal, Depends(requires("platform:read"))]
Operator = Annotated[Principal, Depends(requires("platform:write"))]


def router(recovery: RecoveryService) -> APIRouter:
    router = APIRouter(prefix="/v1/recovery", tags=["recovery"])
    _reading(router, recovery)
    _deciding(router, recovery)
    return router


def _reading(router: APIRouter, recovery: RecoveryService) -> None:
    @router.get("")
    async def status(_: Reader) -> StatusShown:
        """Every kind of fault with its mode and budget, the open episodes, and what waits for a decision."""
        found = await recovery.status()
        return StatusShown(
            kinds=[KindShown.model_validate(one) for one in found.kinds],
            open_episodes=[EpisodeShown.model_validate(one) for one in found.open_episodes],
            proposed=[ActionShown.model_validate(one) for one in found.proposed],
        )

    @router.get("/episodes")
    async def episodes(
        _: Reader, limit: Limit = 50, cursor: Cursor = None,
        only_open: Annotated[bool, Query(description="Only those that are not over.")] = False,
    ) -> Page[EpisodeShown]:  # fmt: skip
        """Fault episodes, newest first."""
        found = await recovery.episodes(*moment_and_id(cursor), limit + 1, only_open=only_open)
        kept, following = page_of(found, limit, lambda one: (one.observed_at, one.episode_id))
        return Page(items=[EpisodeShown.model_validate(one) for one in kept], next_cursor=following)

    @router.get("/episodes/{episode_id}")
    async def episode(episode_id: UUID, _: Reader) -> StoryShown:
        """One episode with its actions, also in plain sentences."""
        story = await recovery.story(episode_id)
        return StoryShown(
            episode=EpisodeShown.model_validate(story.episode),
            actions=[ActionShown.model_validate(one) for one in story.actions],
            sentences=sentences(story),
        )

    @router.get("/actions")
    async def actions(
        _: Reader, limit: Limit = 50, cursor: Cursor = None, outcome: RepairOutcome | None = None
    ) -> Page[ActionShown]:
        """What was done, tried or proposed, newest first, each with its reason."""
        found = await recovery.actions(*moment_and_id(cursor), limit + 1, outcome)
        kept, following = page_of(found, limit, lambda one: (one.at, one.action_id))
        return Page(items=[ActionShown.model_validate(one) for one in kept], next_cursor=following)


def _deciding(router: APIRouter, recovery: RecoveryService) -> None:
    @router.post("/actions/{action_id}/approve")
    async def approve(action_id: UUID, by: Operator) -> ActionShown:
        """Do what is proposed, once; 409 `action_not_open` where it was decided about before."""
        return ActionShown.model_validate(await recovery.approve(action_id, by.client_id))

    @router.post("/actions/{action_id}/refuse")
    async def refuse(action_id: UUID, decision: Decision, by: Operator) -> ActionShown:
        """Leave undone what is proposed."""
        return ActionShown.model_validate(await recovery.refuse(action_id, by.client_id, decision.reason))

    @router.post("/actions/{action_id}/undo")
    async def undo(action_id: UUID, by: Operator) -> ActionShown:
        """Take back what a person decided: a pause, a resume, a refusal, a fault declared over.

        409 `cannot_be_undone` says of everything else why not.
        """
        return ActionShown.model_validate(await recovery.undo(action_id, by.client_id))

    @router.post("/episodes/{episode_id}/clear")
    async def clear(episode_id: UUID, decision: Decision, by: Operator) -> ActionShown:
        """Declare a fault over; one that a detector still sees comes back as another episode."""
        return ActionShown.model_validate(await recovery.clear(episode_id, by.client_id, decision.reason))

    @router.post("/pause")
    async def pause(switch: Switch, by: Operator) -> ActionShown:
        """Do nothing more about a kind of fault, or about any: faults are still told.

        409 `pause_useless` where recovery-agent does nothing about this kind anyway.
        """
        return ActionShown.model_validate(await recovery.pause(switch.fault, by.client_id, switch.reason))

    @router.post("/resume")
    async def resume(switch: Switch, by: Operator) -> ActionShown:
        """Repair again as configured."""
        return ActionShown.model_validate(await recovery.resume(switch.fault, by.client_id, switch.reason))
