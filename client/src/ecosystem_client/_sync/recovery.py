"""Faults of the platform, what was done about them, and what a person decides. For its operators."""

from collections.abc import Iterator
from typing import Any

from ecosystem_client._sync.caller import Caller
from ecosystem_client.reading import Page
from ecosystem_client.repairing import Episode, RecoveryStatus, Repair
from ecosystem_client.request import Request, path_part
from ecosystem_client.stories import WaitingCall


class Recovery:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def status(self) -> RecoveryStatus:
        """Every kind of fault with its mode and budget, the open episodes, and what waits for a decision."""
        return self._caller.one(RecoveryStatus, Request("GET", "/v1/recovery"))

    def episodes_page(
        self, *, only_open: bool = False, limit: int | None = None, cursor: str | None = None
    ) -> Page[Episode]:
        params = {"only_open": only_open or None, "limit": limit, "cursor": cursor}
        return self._caller.page(Episode, "/v1/recovery/episodes", params)

    def story(self, episode_id: str) -> Any:
        """One episode with its actions, and `sentences` that tell it in the order of time."""
        return self._caller.json(Request("GET", f"/v1/recovery/episodes/{path_part(episode_id)}"))

    def actions_page(
        self, *, outcome: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Repair]:
        params = {"outcome": outcome, "limit": limit, "cursor": cursor}
        return self._caller.page(Repair, "/v1/recovery/actions", params)

    def actions(self, *, outcome: str | None = None, limit: int | None = None) -> Iterator[Repair]:
        return self._caller.all(Repair, "/v1/recovery/actions", {"outcome": outcome, "limit": limit})

    def approve(self, action_id: str) -> Repair:
        """Have done what is proposed. Raises ApiError `action_not_open` where it was decided about before."""
        return self._decide(action_id, "approve")

    def refuse(self, action_id: str, *, reason: str = "") -> Repair:
        return self._decide(action_id, "refuse", reason=reason)

    def undo(self, action_id: str) -> Repair:
        """Take back a pause, a resume, a refusal, or a fault declared over.

        Raises ApiError `cannot_be_undone` for everything else; it says why.
        """
        return self._decide(action_id, "undo")

    def clear(self, episode_id: str, *, reason: str = "") -> Repair:
        """Declare a fault over that no detector can see gone, such as a damaged object that was restored."""
        request = Request("POST", f"/v1/recovery/episodes/{path_part(episode_id)}/clear", json={"reason": reason})
        return self._caller.one(Repair, request)

    def pause(self, fault: str | None = None, *, reason: str = "") -> Repair:
        """Nothing more is done about this kind of fault (None: about any); faults are still told."""
        return self._switch("pause", fault, reason)

    def resume(self, fault: str | None = None, *, reason: str = "") -> Repair:
        return self._switch("resume", fault, reason)

    def queue_page(
        self, *, agent: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[WaitingCall]:
        """Calls of runs that wait for an agent that is away, the oldest first."""
        return self._caller.page(WaitingCall, "/v1/recovery/queue", {"agent": agent, "limit": limit, "cursor": cursor})

    def retry_call(self, call_id: str) -> None:
        """Have a waiting call brought as soon as it is its turn. Raises ApiError `call_unknown` where it is gone."""
        self._caller.send(Request("POST", f"/v1/recovery/queue/{path_part(call_id)}/retry"))

    def give_up_call(self, call_id: str, *, reason: str = "") -> None:
        """End its wait: the run goes on as after a failure of the agent."""
        self._caller.send(Request("POST", f"/v1/recovery/queue/{path_part(call_id)}/give-up", json={"reason": reason}))

    def _decide(self, action_id: str, verb: str, **body: str) -> Repair:
        request = Request("POST", f"/v1/recovery/actions/{path_part(action_id)}/{verb}", json=body or None)
        return self._caller.one(Repair, request)

    def _switch(self, verb: str, fault: str | None, reason: str) -> Repair:
        request = Request("POST", f"/v1/recovery/{verb}", json={"fault": fault, "reason": reason})
        return self._caller.one(Repair, request)
