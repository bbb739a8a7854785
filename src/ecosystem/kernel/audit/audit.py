"""The audit entry: who did what to what, before and after, appended in the unit of work of the deed."""

import re
from typing import Any
from uuid import UUID

from ecosystem.kernel import context
from ecosystem.kernel.audit.event import AuditRecorded
from ecosystem.kernel.messaging.outbox import Outbox

ACTION = re.compile(r"[a-z]+(?:_[a-z]+)+")


class Audit:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def record(
        self, action: str, target: str, *, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> UUID:
        """Append who (user, agent), what (`action` on `target`) and the change; from where follows from the trace.

        `action` names the object first and then what happened to it: `client_revoked`. `before` and `after` hold ids
        and measures; a personal value may stand in them only as ciphertext.
        Raises PublishedOutside: no unit of work is open.
        """
        assert ACTION.fullmatch(action), f"{action}: an action is named like client_revoked"
        now = context.current()
        return await self._outbox.add(
            AuditRecorded(
                target=target, action=action, before=before, after=after, user_id=now.user_id, agent_id=now.agent_id
            )
        )
