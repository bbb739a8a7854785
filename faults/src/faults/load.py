"""Open-loop load through the edge: clients of several companies send and read at their times, whatever comes back.

No client repeats a request. An upload or a message without an answer is sent again later under its key, as a program
that was restarted would, and is counted apart: the promise of the key is that one document, or message, comes of it.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable, Coroutine
from datetime import date
from functools import partial
from typing import Any
from uuid import uuid4

from ecosystem_client.errors import NotFound
from faults.customers import Customer
from faults.documents import Document, documents
from faults.journal import Journal
from faults.requests import Requests
from faults.telling import MESSAGES_PER_UPLOAD, TELL, Send, Telling

_PROBE_SECONDS = 0.2
_IN_FLIGHT_MAX = 400
_AGAIN_SECONDS = 1.0
_PAGE = 50
_ARRIVALS = 3
"""So many of the loops are arrivals, and end first."""


class Load:
    """`uploads_per_second` for all companies together; readings come four times as often."""

    def __init__(
        self, customers: list[Customer], journal: Journal, seed: int, uploads_per_second: float, today: date
    ) -> None:
        self.customers, self._journal, self.requests = customers, journal, Requests()
        self._chance = random.Random(f"load {seed}")
        self._documents = documents(seed, today)
        self._telling = Telling(journal, self._chance)
        self._rate = uploads_per_second
        self._tasks: set[asyncio.Task[None]] = set()
        self._unanswered: list[Send] = []
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
            asyncio.create_task(self._arrivals(self._rate * MESSAGES_PER_UPLOAD, lambda: self._message)),
            asyncio.create_task(self._again()),
            asyncio.create_task(self._probe()),
        ]

    async def end(self) -> None:
        """No more arrivals; what is under way is answered or times out. `settle` follows."""
        self._stop.set()
        await asyncio.gather(*self._loops[:_ARRIVALS])
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def settle(self, within_seconds: float) -> int:
        """Send what has no answer until it has one; how many have none even then."""
        end = asyncio.get_running_loop().time() + within_seconds
        while self._unanswered and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        for loop in self._loops[_ARRIVALS:]:
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
        document, key = next(self._documents), str(uuid4())
        sha256 = hashlib.sha256(document.content).hexdigest()
        self._journal.write("asked", company=who.company_id, key=key, sha256=sha256, expected=document.outcome)
        await self._first("POST /v1/documents", who, partial(self._send, who, document, key))

    async def _send(self, who: Customer, document: Document, key: str) -> None:
        receipt = await who.client.documents.upload(document.content, name=document.name, idempotency_key=key)
        self._journal.write("accepted", key=key, document=receipt.document_id)
        who.known[receipt.document_id] = key

    async def _message(self, who: Customer) -> None:
        what, send = self._telling.next(who)
        await self._first(what, who, send, sure=what == TELL)

    async def _first(self, what: str, who: Customer, send: Send, *, sure: bool = True) -> None:
        async with self.requests.one(what, via=who.via, sure=sure):
            await send()
            return
        self._unanswered.append(send)

    async def _again(self) -> None:
        """The second life of programs whose uploads and messages got no answer."""
        quiet = Requests()
        while True:
            await asyncio.sleep(_AGAIN_SECONDS)
            for send in list(self._unanswered):
                self.repeats += 1
                async with quiet.one("again"):
                    await send()
                    self._unanswered.remove(send)

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
