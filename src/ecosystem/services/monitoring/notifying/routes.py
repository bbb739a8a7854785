"""The door for HTTP: channels and messages of the caller's company, or of the platform for its administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from ecosystem.kernel.http.pagination import Cursor, Limit, Page, moment_and_id, page_of
from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.kernel.keys.keyring import PLATFORM
from ecosystem.services.monitoring.notifying.model import State
from ecosystem.services.monitoring.notifying.schemas import ChannelAsked, ChannelShown, NotificationShown
from ecosystem.services.monitoring.notifying.service import Message, NotifyingService

Reader = Annotated[Principal, Depends(requires("notifications:read"))]
Writer = Annotated[Principal, Depends(requires("notifications:write"))]


def router(service: NotifyingService) -> APIRouter:
    routes = APIRouter(prefix="/v1/notifications", tags=["notifications"])

    @routes.get("/channels")
    async def list_channels(caller: Reader) -> Page[ChannelShown]:
        """By name; where they lead is a secret."""
        return Page(items=[ChannelShown.of(one) for one in await service.channels(_owner(caller))])

    @routes.post("/channels", status_code=201)
    async def add_channel(asked: ChannelAsked, caller: Writer) -> ChannelShown:
        """Keep an address under a name; it is shown to nobody any more."""
        channel = await service.add_channel(
            _owner(caller), name=asked.name, url=asked.url.get_secret_value(), time_zone=asked.time_zone,
            quiet=asked.quiet_hours,
        )  # fmt: skip
        return ChannelShown.of(channel)

    @routes.delete("/channels/{name}", status_code=204)
    async def remove_channel(name: str, caller: Writer) -> Response:
        """Forget its address."""
        await service.remove_channel(_owner(caller), name)
        return Response(status_code=204)

    @routes.post("/channels/{name}/test", status_code=202)
    async def test_channel(name: str, caller: Writer) -> NotificationShown:
        """Send a message that says that it is a test; `GET /v1/notifications/{id}` says how it went."""
        owner, channel = _owner(caller), await service.channel(_owner(caller), name)
        queued = await service.send(
            owner, [name], Message("test", {"channel": name}, f"test/{channel.channel_id}", urgent=True)
        )
        return NotificationShown.model_validate(await service.show(owner, queued[0].notification_id))

    @routes.get("")
    async def list_notifications(
        caller: Reader, state: State | None = None, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[NotificationShown]:
        """Messages, newest first, and how far they have come; their texts are not shown."""
        before, before_id = moment_and_id(cursor)
        found = await service.page(
            _owner(caller), state=state.value if state else None, before=before, before_id=before_id, limit=limit + 1
        )
        kept, following = page_of(found, limit, lambda one: (one.created_at, one.notification_id))
        return Page(items=[NotificationShown.model_validate(one) for one in kept], next_cursor=following)

    @routes.get("/{notification_id}")
    async def show_notification(notification_id: UUID, caller: Reader) -> NotificationShown:
        return NotificationShown.model_validate(await service.show(_owner(caller), notification_id))

    return routes


def _owner(caller: Principal) -> UUID:
    return caller.company_id or PLATFORM
