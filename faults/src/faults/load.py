"""Open-loop load through the edge: clients of several companies send and read at their times, whatever comes back.

No client repeats a request. An upload without an answer is sent again later under its key, as a program that was
restarted would, and is counted apart: the promise of the key is that one document comes of it.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any
from uuid import uuid4

from ecosystem_client import AsyncEcosystem
from ecosystem_client.errors import NotFound
from ecosystem_client.retry import Retries
from faults.documents import Document, documents
from faults.journal import Journal
from faults.requests import Requests

_TIMEOUT_SECONDS = 10.0
_PROBE_SECONDS = 0.2
_IN_FLIGHT_MAX = 400
_AGAIN_SECONDS = 1.0
_PAGE = 50


@dataclass
class Customer:
    """One company's program. `known`: documents that it was promised, by id, with the upload's key.

    `client` repeats nothing; `patient` asks when all is over, directly, and as often as the library does.
    """

    company_id: str
    client: AsyncEcosystem
    patient: AsyncEcosystem
    via: str
    known: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Credentials:
    company_id: str
    client_id: str
    client_secret: str


@dataclass
class Unanswered:
    """An upload of which nobody knows whether it arrived."""

    customer: Customer
    document: Document
    key: str


def customer(who: Credentials, edge_url: str, url: str, ca: str, via: str) -> Customer:
    """`url` is where the program finds the edge: itself, or a wire before it."""
    once, login = Retries(attempts_max=1), (who.client_id, who.client_secret)
    client = AsyncEcosystem(url, *login, ca=ca, timeout_seconds=_TIMEOUT_SECONDS, retries=once)
    return Customer(who.company_id, client, AsyncEcosystem(edge_url, *login, ca=ca), via)


class Load:
    """`uploads_per_second` for all companies together; readings come four times as often."""

    def __init__(
        self, customers: list[Customer], journal: Journal, seed: int, uploads_per_second: float, today: date
    ) -> None:
        self.customers, self._journal, self.requests = customers, journal, Requests()
        self._chance = random.Random(f"load {seed}")
        self._documents = documents(seed, today)
        self._rate = uploads_per_second
        self._tasks: set[asyncio.Task[None]] = set()
        self._unanswered: list[Unanswered] = []
        self._stop = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self.repeats = 0
        self.dropped = 0

    def begin(self) -> None:
        reads: list[Callable[[Customer], Coroutine[Any, Any, None]]] = [
            self._get, self._get, self._result, self._list, self._runs, self._events, self._foreign,
        ]  # fmt: skip
        self._loops = [
            asyncio.create_task(self._arrivals(self._rate, lambda: self._upload)),
            asyncio.create_task(self._arrivals(self._rate * 4, lambda: self._chance.choice(reads))),
            asyncio.create_task(self._again()),
            asyncio.create_task(self._probe()),
        ]

    async def end(self) -> None:
        """No more arrivals; what is under way is answered or times out. `settle` follows."""
        self._stop.set()
        await asyncio.gather(*self._loops[:2])
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def settle(self, within_seconds: float) -> int:
        """Send what has no answer until it has one; how many have none even then."""
        end = asyncio.get_running_loop().time() + within_seconds
        while self._unanswered and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        for loop in self._loops[2:]:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        return len(self._unanswered)

    async def close(self) -> None:
        for task in (*self._loops, *self._tasks):
            task.cancel()
        await asyncio.gather(*self._loops, *self._tasks, return_exceptions=True)

    # -- arrivals --------------------------------------------------------------------------------------------------

    async def _arrivals(
        self, per_second: float, pick: Callable[[], Callable[[Customer], Coroutine[Any, Any, None]]]
    ) -> None:
        """Exponential gaps from the schedule, not from the answers: a slow platform gets no less to do."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._stop.is_set():
            due += self._chance.expovariate(per_second)
            await asyncio.sleep(max(0.0, due - loop.time()))
            if len(self._tasks) >= _IN_FLIGHT_MAX:
                self.dropped += 1
                continue
            task = asyncio.create_task(pick()(self._chance.choice(self.customers)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _probe(self) -> None:
        """A steady reading, so that every moment of unavailability is seen."""
        while True:
            task = asyncio.create_task(self._page(self.customers[0], "probe", 1))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(_PROBE_SECONDS)

    # -- requests --------------------------------------------------------------------------------------------------

    async def _upload(self, who: Customer) -> None:
        upload = Unanswered(who, next(self._documents), str(uuid4()))
        sha256 = hashlib.sha256(upload.document.content).hexdigest()
        self._journal.write("asked", company=who.company_id, key=upload.key, sha256=sha256,
                            expected=upload.document.outcome)  # fmt: skip
        async with self.requests.one("POST /v1/documents", via=who.via):
            await self._send(upload)
            return
        self._unanswered.append(upload)

    async def _send(self, upload: Unanswered) -> None:
        who, document = upload.customer, upload.document
        receipt = await who.client.documents.upload(document.content, name=document.name, idempotency_key=upload.key)
        self._journal.write("accepted", key=upload.key, document=receipt.document_id)
        who.known[receipt.document_id] = upload.key

    async def _again(self) -> None:
        """The second life of programs whose uploads got no answer."""
        quiet = Requests()
        while True:
            await asyncio.sleep(_AGAIN_SECONDS)
            for upload in list(self._unanswered):
                self.repeats += 1
                async with quiet.one("again"):
                    await self._send(upload)
                    self._unanswered.remove(upload)

    async def _get(self, who: Customer) -> None:
        if not who.known:
            return
        document_id = self._chance.choice(list(who.known)[-30:])
        async with self.requests.one("GET /v1/documents/{id}", via=who.via):
            with self._promised(who, document_id):
                document = await who.client.documents.get(document_id)
                if document.finished:
                    self._note_outcome(who, document_id, f"{document.status}/{document.outcome}")

    async def _result(self, who: Customer) -> None:
        if not who.outcomes:
            return
        document_id = self._chance.choice(list(who.outcomes))
        async with self.requests.one("GET /v1/documents/{id}/judgement", via=who.via):
            with self._promised(who, document_id):
                await who.client.get(f"/v1/documents/{document_id}/judgement")

    async def _list(self, who: Customer) -> None:
        await self._page(who, "GET /v1/documents", _PAGE)

    async def _page(self, who: Customer, what: str, limit: int) -> None:
        async with self.requests.one(what, via=who.via):
            page = await who.client.documents.page(limit=limit)
            self._refuse_foreign(who, what, [one.document_id for one in page.items])

    async def _runs(self, who: Customer) -> None:
        async with self.requests.one("GET /v1/runs", via=who.via):
            page = await who.client.runs.page(limit=_PAGE)
            shown = [str((one.raw.get("input") or {}).get("document_id")) for one in page.items]
            self._refuse_foreign(who, "GET /v1/runs", shown)

    async def _events(self, who: Customer) -> None:
        async with self.requests.one("GET /v1/events", via=who.via):
            page = await who.client.events.page(limit=_PAGE)
            self._refuse_foreign(who, "GET /v1/events", [str(one.subject) for one in page.items])

    async def _foreign(self, who: Customer) -> None:
        """A document of another company: there is none for us."""
        others = [(one, document_id) for one in self.customers if one is not who for document_id in one.known]
        if not others:
            return
        _, document_id = self._chance.choice(others)
        async with self.requests.one("GET another company's document", via=who.via):
            try:
                await who.client.documents.get(document_id)
            except NotFound:
                return
            self._journal.write("broken", promise="leaked", what=f"{who.company_id} could read {document_id}")

    # -- promises that a client can check at once ------------------------------------------------------------------

    def _promised(self, who: Customer, document_id: str) -> "_Promised":
        return _Promised(partial(self._journal.write, "broken", promise="lost", what=f"{document_id} was not found"))

    def _note_outcome(self, who: Customer, document_id: str, outcome: str) -> None:
        before = who.outcomes.get(document_id)
        if before is None:
            who.outcomes[document_id] = outcome
            self._journal.write("outcome", key=who.known[document_id], outcome=outcome)
        elif before != outcome:
            self._journal.write("broken", promise="doubled", what=f"{document_id} was {before}, then {outcome}")

    def _refuse_foreign(self, who: Customer, what: str, ids: list[str]) -> None:
        for other in self.customers:
            if other is not who and (seen := set(ids) & set(other.known)):
                self._journal.write("broken", promise="leaked", what=f"{what} showed {who.company_id} {sorted(seen)}")


class _Promised:
    """An accepted document that is not found is a promise broken, whatever the platform does at the moment."""

    def __init__(self, broken: Callable[[], None]) -> None:
        self._broken = broken

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NotFound):
            self._broken()
