"""Channels, and messages to them: kept in the caller's unit of work, delivered by `delivery.py`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from ecosystem.kernel.clock import Clock
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.ids import Ids
from ecosystem.services.monitoring.errors import ChannelKept, ChannelRefused, ChannelUnknown, NotificationUnknown
from ecosystem.services.monitoring.notifying.fenced import Fenced
from ecosystem.services.monitoring.notifying.model import (
    NAME,
    URL_CHARACTERS_MAX,
    Channel,
    Notification,
    QuietHours,
    scheme_of,
)
from ecosystem.services.monitoring.notifying.repository import NewNotification, Outbox
from ecosystem.services.monitoring.notifying.vault import Vault
from ecosystem.services.monitoring.notifying.wording import written

CHANNELS_MAX = 100


class Addresses(Protocol):
    async def service_of(self, url: str) -> str | None: ...


@dataclass(frozen=True)
class Message:
    """What is to be said. The same `dedup_key` to the same channel within the window is said once."""

    template: str
    values: Mapping[str, object]
    dedup_key: str
    urgent: bool = False
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Queued:
    """`repeated`: it was said a moment ago, so it is counted and not said again."""

    notification_id: UUID
    channel: str
    due_at: datetime
    repeated: bool


@dataclass(frozen=True)
class Parts:
    """What notifying stands on."""

    database: Database
    fenced: Fenced
    outbox: Outbox
    vault: Vault
    clock: Clock
    ids: Ids


class NotifyingService:
    """`company_id` is the company whose channels are meant, or PLATFORM."""

    def __init__(
        self, parts: Parts, addresses: Addresses, wake: Callable[[], None], window: timedelta
    ) -> None:  # fmt: skip
        self._parts, self._addresses, self._wake, self._window = parts, addresses, wake, window

    async def add_channel(
        self, company_id: UUID, *, name: str, url: str, time_zone: str = "UTC", quiet: str | None = None
    ) -> Channel:
        """Keep a channel under a name. Raises ChannelRefused, ChannelKept; its address is in no message of either."""
        parts = self._parts
        if not NAME.fullmatch(name):
            raise ChannelRefused("A channel's name is 1 to 60 small letters, digits, dots, hyphens and underscores.")
        channel_id = parts.ids.uuid()
        channel = await self.prepared(company_id, channel_id, name, url, time_zone=time_zone, quiet=quiet)

        async def add() -> None:
            if len(await parts.outbox.channels(company_id)) >= CHANNELS_MAX:
                raise ChannelRefused(f"A company has at most {CHANNELS_MAX} channels.")
            if not await parts.outbox.add_channel(company_id, channel):
                raise ChannelKept
            after = {"name": name, "service": channel.service, "time_zone": time_zone, "quiet": quiet}
            await self._parts.fenced.record(company_id, "channel_added", channel_id, after)

        await self._parts.fenced.run(company_id, add)
        return channel

    async def prepared(
        self, company_id: UUID, channel_id: UUID, name: str, url: str, *, time_zone: str, quiet: str | None,
        person_id: UUID | None = None,
    ) -> Channel:  # fmt: skip
        """A channel with its address checked and sealed, not kept yet. Raises ChannelRefused."""
        _check_hours(time_zone, quiet)
        service = None
        if scheme_of(url) and len(url) <= URL_CHARACTERS_MAX and url.isprintable():
            service = await self._addresses.service_of(url)
        if service is None:
            raise ChannelRefused("Apprise does not understand the address of the channel.")
        sealed = await self._parts.vault.seal_url(company_id, channel_id, person_id, url)
        now = self._parts.clock.now()
        return Channel(channel_id, name, service, sealed, person_id, time_zone, quiet, now)

    async def channels(self, company_id: UUID) -> list[Channel]:
        return await self._parts.fenced.read(company_id, lambda: self._parts.outbox.channels(company_id))

    async def channel(self, company_id: UUID, name: str) -> Channel:
        """Raises ChannelUnknown."""
        found = await self._parts.fenced.read(company_id, lambda: self._parts.outbox.channel(company_id, name))
        if found is None:
            raise ChannelUnknown
        return found

    async def remove_channel(self, company_id: UUID, name: str) -> None:
        """Its address is forgotten; what waits to go there has failed. Raises ChannelUnknown."""
        parts = self._parts

        async def remove() -> None:
            channel = await parts.outbox.channel(company_id, name)
            if channel is None:
                raise ChannelUnknown
            await parts.outbox.remove_channels(company_id, [channel.channel_id], parts.clock.now())
            await self._parts.fenced.record(company_id, "channel_removed", channel.channel_id, None, {"name": name})

        await self._parts.fenced.run(company_id, remove)

    async def send(self, company_id: UUID, names: Sequence[str], message: Message) -> list[Queued]:
        """To channels by name, all of the company's where none is named. Joins an open unit of work.

        Raises ChannelUnknown, TemplateUnknown.
        """

        async def queue() -> list[Queued]:
            channels = await self._parts.outbox.channels(company_id)
            known = {channel.name: channel for channel in channels}
            if missing := [name for name in names if name not in known]:
                raise ChannelUnknown(f"There is no channel {missing[0][:60]!r}.")
            return [
                await self.queue(company_id, channel, message)
                for channel in ([known[name] for name in dict.fromkeys(names)] or channels)
            ]

        return await self._parts.fenced.run(company_id, queue)

    async def queue(self, company_id: UUID, channel: Channel, message: Message) -> Queued:
        """One message to one channel; inside of a unit of work that stands behind the fence of `company_id`."""
        parts, notification_id = self._parts, self._parts.ids.uuid()
        now = parts.clock.now()
        text = written(message.template, message.values, links=message.links, reference=str(notification_id))
        sealed = await parts.vault.seal_text(
            company_id, notification_id, channel.person_id, orjson.dumps([text.title, text.body])
        )
        due_at = channel.due(now, urgent=message.urgent)
        repeated = await parts.outbox.add(
            company_id,
            NewNotification(
                notification_id, channel.channel_id, message.template, message.dedup_key[:200], message.urgent, sealed,
                now, due_at,
            ),
            self._window,
        )  # fmt: skip
        parts.database.after_commit(self._wake)
        return Queued(repeated or notification_id, channel.name, due_at, repeated is not None)

    async def show(self, company_id: UUID, notification_id: UUID) -> Notification:
        """Raises NotificationUnknown."""
        found = await self._parts.fenced.read(company_id, lambda: self._parts.outbox.find(company_id, notification_id))
        if found is None:
            raise NotificationUnknown
        return found

    async def page(self, company_id: UUID, **filters: Any) -> list[Notification]:
        """Newest first."""
        return await self._parts.fenced.read(company_id, lambda: self._parts.outbox.page(company_id, **filters))


def _check_hours(time_zone: str, quiet: str | None) -> None:
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ChannelRefused("A time zone is a name of the IANA database, such as Europe/Zurich.") from None
    try:
        QuietHours.read(quiet or "00:00-00:01")
    except ValueError as error:
        raise ChannelRefused(f"{str(error).capitalize()}.") from None
