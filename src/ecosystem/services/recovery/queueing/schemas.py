"""What the routes about the queue of absent agents answer."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class WaitingShown(BaseModel):
    """A call that waits for its agent. `code`: why; `is_asked`: it is being brought now."""

    model_config = ConfigDict(from_attributes=True)

    call_id: UUID
    company_id: UUID
    run_id: UUID
    agent_id: str
    request_type: str
    step: str
    code: str
    waiting_since: datetime
    failures: int
    is_asked: bool
