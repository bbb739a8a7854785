"""The use cases of the audit trail: append as it is consumed, find, hand out, prove."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from ecosystem.kernel import context
from ecosystem.kernel.audit.chain import Walk, digest_of, genesis
from ecosystem.kernel.audit.event import AuditRecorded
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.messaging.event import Envelope
from ecosystem.kernel.messaging.log import EventLog, Logged
from ecosystem.services.monitoring.auditing.model import Asked, Entry, Head, Problem, Proof, trail_of
from ecosystem.services.monitoring.auditing.repository import Trail
from ecosystem.services.monitoring.errors import AuditEntryUnknown

CONSUMER = "monitoring-audit"
_PAGE_ROWS = 500
_STEP_PAGES = 20


class AuditService:
    """A reading is for the company of the caller; None is the platform itself, whose trail is operators'."""

    def __init__(self, database: Database, trail: Trail, log: EventLog) -> None:
        self._database, self._trail, self._log = database, trail, log

    async def append(self, envelope: Envelope) -> None:
        """Link the entry of an `audit_recorded` to its chain, in the unit of work of the consumer."""
        entry = entry_of(envelope)
        company_id: UUID = entry["company_id"]
        first = genesis(company_id, entry["chain"])
        if company_id == envelope.company_id:
            await self._trail.append(entry, first, digest_of(entry))
            return
        async with self._database.as_company(company_id):
            await self._trail.append(entry, first, digest_of(entry))

    async def page(
        self, company_id: UUID | None, asked: Asked, at: datetime | None, event_id: UUID | None, limit: int
    ) -> list[Entry]:
        """Entries, newest first, before (`at`, `event_id`)."""
        trail = trail_of(company_id)
        with context.scope(company_id=trail):
            return await self._database.read(lambda: self._trail.page(trail, asked, at, event_id, limit))

    async def entry(self, company_id: UUID | None, event_id: UUID) -> Entry:
        """Raises AuditEntryUnknown: also for another company's."""
        trail = trail_of(company_id)
        with context.scope(company_id=trail):
            found = await self._database.read(lambda: self._trail.of_events(trail, [event_id]))
        if event_id not in found:
            raise AuditEntryUnknown
        return found[event_id]

    async def heads(self, company_id: UUID | None) -> list[Head]:
        trail = trail_of(company_id)
        with context.scope(company_id=trail):
            return await self._database.read(lambda: self._trail.heads(trail))

    async def chain(self, company_id: UUID | None, chain: int, after: int, limit: int) -> list[Entry]:
        """Entries of one chain behind number `after`, in its order."""
        trail = trail_of(company_id)
        with context.scope(company_id=trail):
            return await self._database.read(lambda: self._trail.chain(trail, chain, after, 2**62, limit))

    async def prove(self, company_id: UUID | None, proof: Proof | None = None) -> Proof:
        """Go on with a proof (None: begin one), for at most about 10,000 entries; call again until it is `done`."""
        if proof is None:
            proof = await self._begin(company_id)
        for _ in range(_STEP_PAGES):
            if proof.done:
                break
            walking = proof.chain is not None
            proof = await (self._walk(company_id, proof) if walking else self._compare(company_id, proof))
        return proof

    async def _begin(self, company_id: UUID | None) -> Proof:
        heads = await self.heads(company_id)
        proof = Proof(heads={head.chain: head.last for head in heads}, chain=heads[0].chain if heads else None)
        for head in heads:
            # Both are written by one statement: in one moment they agree, or somebody else has written.
            if head.last < head.number:
                proof = proof.with_problem(Problem("cut_off", head.chain, head.last + 1))
            elif head.last > head.number:
                proof = proof.with_problem(Problem("head_differs", head.chain, head.last))
        return proof

    async def _walk(self, company_id: UUID | None, proof: Proof) -> Proof:
        """One page of a chain; at its end, on to the next chain."""
        assert proof.chain is not None
        trail, chain = trail_of(company_id), proof.chain
        with context.scope(company_id=trail):
            entries = await self._database.read(
                lambda: self._trail.chain(trail, chain, proof.number, proof.heads[chain], _PAGE_ROWS)
            )
        walk = Walk(trail, chain, number=proof.number, previous=proof.previous)
        for entry in entries:
            code = walk.take(entry.number, entry.digest, entry.hash)
            if code is not None:
                proof = proof.with_problem(Problem(code, chain, entry.number, entry.event_id))
        proof = replace(proof, number=walk.number, previous=walk.previous, walked=proof.walked + len(entries))
        if len(entries) == _PAGE_ROWS:
            return proof
        proof = await self._end_of_chain(company_id, proof)
        following = min((other for other in proof.heads if other > chain), default=None)
        return replace(proof, chain=following, number=0, previous=None)

    async def _end_of_chain(self, company_id: UUID | None, proof: Proof) -> Proof:
        """A head that has not moved since the proof began must be the hash of the last entry."""
        head = next((one for one in await self.heads(company_id) if one.chain == proof.chain), None)
        if head is None or head.number != proof.number or head.hash == proof.previous:
            return proof
        return proof.with_problem(Problem("head_differs", head.chain, head.number))

    async def _compare(self, company_id: UUID | None, proof: Proof) -> Proof:
        """One page of the log, which no service can change, against the entries made of it."""
        with context.scope(company_id=company_id):
            events = await self._log.events(after=proof.position, type_=AuditRecorded.event_type, limit=_PAGE_ROWS)
        if events:
            proof = await self._compare_page(company_id, proof, events)
        if len(events) < _PAGE_ROWS:
            if proof.compared < proof.walked and not proof.problems:
                proof = proof.with_problem(Problem("not_in_log", 0, proof.walked - proof.compared))
            return replace(proof, done=True)
        return replace(proof, position=events[-1].cursor)

    async def _compare_page(self, company_id: UUID | None, proof: Proof, events: Sequence[Logged]) -> Proof:
        trail, ids = trail_of(company_id), [one.envelope.id for one in events]

        async def look() -> tuple[dict[int, tuple[int, int, int]], dict[UUID, Entry], set[UUID]]:
            # Cursors first: what is behind them then is in the trail at the next statement.
            cursors = await self._trail.cursors(CONSUMER)
            return cursors, await self._trail.of_events(trail, ids), await self._trail.parked(CONSUMER, ids)

        with context.scope(company_id=trail):
            cursors, entries, parked = await self._database.read(look)
        for one in events:
            envelope = one.envelope
            entry = entries.get(envelope.id)
            if entry is None:
                at = (envelope.epoch, envelope.xid, envelope.position)
                if at > cursors.get(envelope.slot, (0, 0, 0)) or envelope.id in parked:
                    proof = replace(proof, waiting=proof.waiting + 1)
                else:
                    proof = proof.with_problem(Problem("missing", envelope.slot, 0, envelope.id))
                continue
            if entry.digest != digest_of(entry_of(envelope)):
                proof = proof.with_problem(Problem("differs_from_log", entry.chain, entry.number, entry.event_id))
            if entry.number <= proof.heads.get(entry.chain, 0):
                proof = replace(proof, compared=proof.compared + 1)
        return proof


def entry_of(envelope: Envelope) -> dict[str, Any]:
    """The entry that an `audit_recorded` becomes, still without its place in the chain."""
    recorded = envelope.read(AuditRecorded)
    return {
        "company_id": trail_of(envelope.company_id), "chain": envelope.slot, "event_id": envelope.id,
        "action": recorded.action, "target": recorded.target, "user_id": recorded.user_id,
        "agent_id": recorded.agent_id, "source": envelope.source, "trace_id": envelope.trace_id,
        "happened_at": envelope.time, "before": recorded.before, "after": recorded.after,
    }  # fmt: skip
