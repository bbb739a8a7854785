"""The event log: read it, tail it, deliver it again."""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ecosystem_client._sync.caller import Caller
from ecosystem_client.errors import ConnectionFailed, Unavailable
from ecosystem_client.models import DeadLetter, Event, Replay
from ecosystem_client.reading import Page
from ecosystem_client.request import Request, path_part
from ecosystem_client.sse import Decoder

_IDLE_SECONDS_MAX = 60.0
"""A stream that is silent for longer (the platform sends comments meanwhile) is taken for broken."""


class Events:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def get(self, event_id: str) -> Event:
        return self._caller.one(Event, Request("GET", f"/v1/events/{path_part(event_id)}"))

    def page(
        self,
        *,
        after: str | None = None,
        event_type: str | None = None,
        subject: str | None = None,
        limit: int | None = None,
    ) -> Page[Event]:
        """One page, oldest first, of what happened after the position `after`; `next_cursor` is the next `after`."""
        params = {"after": after, "type": event_type, "subject": subject, "limit": limit}
        return self._caller.page(Event, "/v1/events", params)

    def list(
        self,
        *,
        after: str | None = None,
        event_type: str | None = None,
        subject: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Event]:
        params = {"after": after, "type": event_type, "subject": subject, "limit": limit}
        return self._caller.all(Event, "/v1/events", params, cursor_name="after")

    def tail(
        self,
        *,
        after: str | None = None,
        event_type: str | None = None,
        subject: str | None = None,
        reconnect_seconds: float = 1.0,
    ) -> Iterator[Event]:
        """Events as they happen, without end. A broken stream is taken up again where it stopped.

        `after` None begins with what happens from now on.
        """
        while True:
            params = {"after": after, "type": event_type, "subject": subject}
            request = Request("GET", "/v1/events/stream", params=params, headers={"accept": "text/event-stream"})
            decoder = Decoder()
            try:
                with self._caller.stream(request, idle_timeout_seconds=_IDLE_SECONDS_MAX) as response:
                    for line in response.iter_lines():
                        for message in decoder.feed(line):
                            event = Event.read(json.loads(message.data))
                            yield event
                            after = event.position or message.id or after
            except (ConnectionFailed, Unavailable):
                pass
            time.sleep(reconnect_seconds)

    def replay(
        self,
        consumer: str,
        *,
        from_position: str | None = None,
        from_time: datetime | None = None,
        dry_run: bool = False,
    ) -> Replay:
        """Deliver the log again to one consumer, from a position or a time; `dry_run` only counts."""
        body: dict[str, Any] = {"consumer": consumer, "dry_run": dry_run}
        if from_position is not None:
            body["from_position"] = from_position
        if from_time is not None:
            body["from_time"] = from_time.isoformat()
        return self._caller.one(Replay, Request("POST", "/v1/events/replay", json=body))

    def consumers(self) -> tuple[Any, ...]:
        """Who reads the log, where each stands and how far it is behind."""
        answer = self._caller.json(Request("GET", "/v1/events/consumers"))
        return tuple(answer["items"])

    def dead_letters_page(
        self, *, consumer: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[DeadLetter]:
        params = {"consumer": consumer, "limit": limit, "cursor": cursor}
        return self._caller.page(DeadLetter, "/v1/events/dead-letters", params)

    def dead_letters(self, *, consumer: str | None = None, limit: int | None = None) -> Iterator[DeadLetter]:
        return self._caller.all(DeadLetter, "/v1/events/dead-letters", {"consumer": consumer, "limit": limit})

    def redeliver(self, dead_letter_id: str) -> Any:
        """Try a dead letter again."""
        return self._caller.json(Request("POST", f"/v1/events/dead-letters/{path_part(dead_letter_id)}/redeliver"))

    def redeliver_all(self, consumer: str, *, code: str | None = None, dry_run: bool = False) -> Any:
        """Hand a consumer its dead letters again, up to 200 at once, or only those with `code`; `ids` says which.

        `more`: there are others for another call. `dry_run` only says which it would be.
        """
        body = {"consumer": consumer, "code": code, "dry_run": dry_run}
        return self._caller.json(Request("POST", "/v1/events/dead-letters/redeliver", json=body))
