"""Compares what clients were promised with what the platform has: over its API and past it, in its tables.

The checker knows the public API, the names of the tables and the journal. It shares no code with the platform, so
that an error in the one is not an error in the other.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from ecosystem_client import EcosystemFailure
from ecosystem_client.errors import NotFound
from faults import questions
from faults.customers import Customer
from faults.delivering import Delivered
from faults.fleet import Fleet
from faults.journal import Promised, Promises
from faults.recognising import Recognised

_LOOK_SECONDS = 0.25
_AT_ONCE = 8
VERDICTS = ("lost", "doubled", "leaked", "stuck")


@dataclass
class Findings:
    """What is wrong, by verdict, each in one sentence; and counts for the summary."""

    wrong: dict[str, list[str]] = field(default_factory=lambda: {verdict: [] for verdict in VERDICTS})
    documents: int = 0
    events: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    recognised: Recognised = field(default_factory=Recognised)
    delivered: Delivered = field(default_factory=Delivered)

    def add(self, verdict: str, what: str) -> None:
        if what not in self.wrong[verdict]:
            self.wrong[verdict].append(what)


class Checker:
    def __init__(self, fleet: Fleet, promises: Promises, customers: Sequence[Customer]) -> None:
        self._fleet, self._promises = fleet, promises
        self._clients = {one.company_id: one.patient for one in customers}
        self.findings = Findings()

    async def settled(self, within_seconds: float) -> None:
        """Wait until nothing is under way any more; what still is then, is stuck."""
        end = asyncio.get_running_loop().time() + within_seconds
        left: list[str] = ["nothing could be asked"]
        while left:
            try:
                left = await self._under_way()
            except (psycopg.Error, OSError) as error:
                left = [f"the database could not be asked: {type(error).__name__}"]
            if asyncio.get_running_loop().time() > end:
                break
            if left:
                await asyncio.sleep(_LOOK_SECONDS)
        for what in left:
            self.findings.add("stuck", what)

    async def _under_way(self) -> list[str]:
        left = []
        for what, statement in questions.UNDER_WAY.items():
            left += [what.format(*row) for row in await self._fleet.sql(statement)]
        for name, schema, types in await self._fleet.sql(questions.CONSUMERS):
            missing = await self._fleet.sql(questions.not_handled(schema), (name, types, types))
            left += [f"{name} has not handled {event} ({kind} of {subject})" for event, kind, subject in missing]
        return left

    async def check(self) -> Findings:
        """Everything. Raises psycopg.Error where the database is not there."""
        for verdict, what in self._promises.broken:
            self.findings.add(verdict, what)
        await self._check_by_clients()
        await self._check_tables()
        return self.findings

    # -- as clients see it -----------------------------------------------------------------------------------------

    async def _check_by_clients(self) -> None:
        accepted = self._promises.accepted()
        self.findings.documents = len(accepted)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(promised: Promised) -> None:
            async with gate:
                await self._document(promised)

        await asyncio.gather(*(one(promised) for promised in accepted))
        for company in self._clients:
            await self._listing(company, accepted)
        await self._foreign(accepted)

    async def _document(self, promised: Promised) -> None:
        """It is there, its bytes are those that were sent, and it has the outcome that was shown before."""
        client, document_id = self._clients[promised.company], str(promised.document_id)
        try:
            document = await client.documents.get(document_id)
            sha256 = hashlib.sha256()
            async for piece in client.documents.original(document_id):
                sha256.update(piece)
        except NotFound:
            self.findings.add("lost", f"document {document_id} was accepted and is not there")
            return
        except EcosystemFailure as failure:
            self.findings.add("lost", f"document {document_id} cannot be read: {failure}")
            return
        if sha256.hexdigest() != promised.sha256:
            self.findings.add("lost", f"document {document_id} is not what was sent")
        if not document.finished or (document.outcome is None and document.status == "completed"):
            self.findings.add("stuck", f"document {document_id} is {document.status}")
            return
        outcome = f"{document.status}/{document.outcome}"
        self.findings.outcomes[outcome] += 1
        if promised.outcome not in (None, outcome):
            self.findings.add("doubled", f"document {document_id} was {promised.outcome} and is {outcome}")
        if document.outcome != promised.expected:
            why = document.failure or ", ".join(document.failing_rules or document.reasons)
            self.findings.unexpected.append(f"{document_id}: {outcome} instead of {promised.expected} ({why})")

    async def _listing(self, company: str, accepted: Sequence[Promised]) -> None:
        """A company sees its own documents, each once, and nobody else's."""
        owner = {one.document_id: one.company for one in accepted}
        client = self._clients[company]
        seen = Counter([document.document_id async for document in client.documents.list(limit=200)])
        for document_id, times in seen.items():
            if owner.get(document_id, company) != company:
                self.findings.add("leaked", f"company {company} lists {document_id} of {owner[document_id]}")
            elif document_id not in owner:
                self.findings.add("doubled", f"document {document_id} of {company} is there and was never promised")
            if times > 1:
                self.findings.add("doubled", f"document {document_id} is listed {times} times")
        for one in accepted:
            if one.company == company and one.document_id not in seen:
                self.findings.add("lost", f"document {one.document_id} is not listed")
        subjects = {event.subject async for event in client.events.list(limit=200)}
        foreign = {one.document_id for one in accepted if one.company != company}
        for subject in subjects & foreign:
            self.findings.add("leaked", f"company {company} reads events of {subject}")

    async def _foreign(self, accepted: Sequence[Promised]) -> None:
        """Nobody can read one document of each other company."""
        example = {one.company: str(one.document_id) for one in accepted}
        for company, document_id in example.items():
            for other, client in self._clients.items():
                if other == company:
                    continue
                try:
                    await client.documents.get(document_id)
                except NotFound:
                    continue
                self.findings.add("leaked", f"company {other} can read {document_id} of {company}")

    # -- in the tables ---------------------------------------------------------------------------------------------

    async def _check_tables(self) -> None:
        documents = [str(one.document_id) for one in self._promises.accepted()]
        owners = [one.company for one in self._promises.accepted()]
        self.findings.events = int((await self._fleet.sql("select count(*) from kernel.log"))[0][0])
        for verdict, what, statement in questions.WRONG:
            await self._ask(verdict, what, statement, ())
        for verdict, what, statement in questions.WRONG_OF_DOCUMENTS:
            await self._ask(verdict, what, statement, (documents, owners))
        for name, schema, types in await self._fleet.sql(questions.CONSUMERS):
            missing = await self._fleet.sql(questions.not_handled(schema), (name, types, types))
            for event, kind, subject in missing:
                self.findings.add("lost", f"{name} never handled {event} ({kind} of {subject})")
            for lane, attempts, code in await self._fleet.sql(questions.parked(schema), (name,)):
                self.findings.add("stuck", f"an event of {lane} is parked by {name}: {code}, {attempts} attempts")
            for row in await self._fleet.sql(questions.handled_nothing(schema), (name,)):
                self.findings.add("doubled", f"{name} handled {row[0]}, which is not in the log")

    async def _ask(self, verdict: str, what: str, statement: str, values: Sequence[Any]) -> None:
        for row in await self._fleet.sql(statement, values):
            self.findings.add(verdict, what.format(*row))
