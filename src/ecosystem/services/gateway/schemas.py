"""What /v1/edge returns."""

from datetime import datetime

from pydantic import BaseModel


class EdgeShown(BaseModel):
    """`status` is `serving`, `waiting` (for keys or for Envoy) or `rejected`: Envoy goes on with what it had."""

    status: str
    address: str
    envoy: str
    written_at: datetime | None
    files_replaced: list[str]
    instances: dict[str, int]
    key_ids: list[str]
    rejected_updates: dict[str, int]
    problem: str | None
