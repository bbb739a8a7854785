"""What the routes of the audit trail accept and return."""

import base64
import binascii
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field

from ecosystem.kernel.http.pagination import CursorInvalid
from ecosystem.services.monitoring.auditing.model import Entry, Head, Problem, Proof


class EntryShown(BaseModel):
    """Who did what, to what, from where, with its place in the chain. `hash`, `previous_hash`: SHA-256 in hex."""

    model_config = ConfigDict(from_attributes=True)

    event_id: UUID
    happened_at: datetime
    action: str
    target: str
    user_id: str | None
    agent_id: str | None
    source: str
    trace_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    company_id: UUID
    chain: int
    number: int
    hash: str

    @classmethod
    def of(cls, entry: Entry) -> "EntryShown":
        return cls.model_validate({**vars(entry), "hash": entry.hash.hex()})


class HeadShown(BaseModel):
    """The end of one chain: whoever keeps it elsewhere can prove later that nothing before it was changed."""

    chain: int
    number: int
    hash: str

    @classmethod
    def of(cls, head: Head) -> "HeadShown":
        return cls(chain=head.chain, number=head.number, hash=head.hash.hex())


class HeadsShown(BaseModel):
    company_id: UUID
    items: list[HeadShown]


class ChainShown(BaseModel):
    """Entries in the order of their chain; there are more while `next_after` is not null."""

    items: list[EntryShown]
    next_after: int | None


class ProblemShown(BaseModel):
    """`code`: gap, out_of_order, altered, cut_off, head_differs, missing (the log has it, the trail has not),
    differs_from_log, not_in_log (`number` says how many entries the log knows nothing of)."""

    model_config = ConfigDict(from_attributes=True)

    code: str
    chain: int
    number: int
    event_id: UUID | None


class ProofShown(BaseModel):
    """A proof in steps: ask again with `next_cursor` until it is null. `whole` is null until then."""

    whole: bool | None
    walked: int = Field(description="Entries whose place in their chain was proved.")
    compared: int = Field(description="Entries that were compared with the event log.")
    waiting: int = Field(description="Events of the log that are still on their way into the trail.")
    problems: list[ProblemShown]
    next_cursor: str | None = None

    @classmethod
    def of(cls, proof: Proof) -> "ProofShown":
        return cls(
            whole=proof.whole if proof.done else None, walked=proof.walked, compared=proof.compared,
            waiting=proof.waiting, problems=[ProblemShown.model_validate(one) for one in proof.problems],
            next_cursor=None if proof.done else write_cursor(proof),
        )  # fmt: skip


def write_cursor(proof: Proof) -> str:
    """The proof as an opaque text. Who changes it fools nobody but himself."""
    raw = {
        "heads": [[chain, number] for chain, number in proof.heads.items()], "chain": proof.chain,
        "number": proof.number, "previous": proof.previous.hex() if proof.previous is not None else None,
        "position": proof.position, "walked": proof.walked, "compared": proof.compared, "waiting": proof.waiting,
        "problems": [[one.code, one.chain, one.number, one.event_id] for one in proof.problems],
    }  # fmt: skip
    return base64.urlsafe_b64encode(orjson.dumps(raw)).decode().rstrip("=")


def read_cursor(cursor: str | None) -> Proof | None:
    """Raises CursorInvalid."""
    if cursor is None:
        return None
    try:
        raw = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        heads = {int(chain): int(number) for chain, number in raw["heads"]}
        problems = tuple(
            Problem(str(code), int(chain), int(number), UUID(event_id) if event_id else None)
            for code, chain, number, event_id in raw["problems"]
        )
        proof = Proof(
            heads, None if raw["chain"] is None else int(raw["chain"]), int(raw["number"]),
            bytes.fromhex(raw["previous"]) if raw["previous"] else None, raw["position"], int(raw["walked"]),
            int(raw["compared"]), int(raw["waiting"]), problems,
        )  # fmt: skip
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
        raise CursorInvalid from None
    if proof.chain is not None and proof.chain not in heads:
        raise CursorInvalid
    return proof
