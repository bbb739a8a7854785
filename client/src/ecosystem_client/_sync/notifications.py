"""Channels, and messages to them."""

from ecosystem_client._sync.caller import Caller
from ecosystem_client.calling import Channel, Notification
from ecosystem_client.reading import Page
from ecosystem_client.request import Request, path_part


class Notifications:
    """Of the caller's company; of the platform for its administrators."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def channels(self) -> tuple[Channel, ...]:
        """By name; where they lead is told to nobody."""
        return (self._caller.page(Channel, "/v1/notifications/channels", {})).items

    def add_channel(self, name: str, url: str, *, time_zone: str = "UTC", quiet_hours: str | None = None) -> Channel:
        """Keep an address, as Apprise writes it, under a name.

        Raises:
            Invalid: `channel_refused`. Conflict: `channel_exists`.
        """
        body = {"name": name, "url": url, "time_zone": time_zone, "quiet_hours": quiet_hours}
        return self._caller.one(Channel, Request("POST", "/v1/notifications/channels", json=body))

    def remove_channel(self, name: str) -> None:
        """Forget its address. Raises NotFound."""
        self._caller.send(Request("DELETE", f"/v1/notifications/channels/{path_part(name)}"))

    def test_channel(self, name: str) -> Notification:
        """Send a message that says that it is a test; `get` says how it went."""
        request = Request("POST", f"/v1/notifications/channels/{path_part(name)}/test", repeated_is_once=True)
        return self._caller.one(Notification, request)

    def page(
        self, *, state: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Notification]:
        """One page of messages, newest first."""
        params = {"state": state, "limit": limit, "cursor": cursor}
        return self._caller.page(Notification, "/v1/notifications", params)

    def get(self, notification_id: str) -> Notification:
        return self._caller.one(Notification, Request("GET", f"/v1/notifications/{path_part(notification_id)}"))
