"""The audit event. Light: pydantic only."""

from typing import Any

from pydantic import Field

from ecosystem.kernel.messaging.event import Event


class AuditRecorded(Event, event_type="audit_recorded", subject="target"):
    """`action` is a verb in the past with its noun (`client_revoked`), `target` the id of what was changed."""

    action: str = Field(min_length=1, max_length=100)
    target: str = Field(min_length=1, max_length=200)
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    user_id: str | None = None
    agent_id: str | None = None
