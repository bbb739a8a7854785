"""What waits in the outbox goes out: claimed with a lease, sent, and marked by whoever still holds the lease."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol
from uuid import UUID

import orjson

from ecosystem.kernel import context
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.telemetry.log import log
from ecosystem.kernel.telemetry.metrics import METRICS
from ecosystem.services.monitoring.notifying.model import Outcome, State, Text, wait_after
from ecosystem.services.monitoring.notifying.repository import Claimed
from ecosystem.services.monitoring.notifying.service import Parts
from ecosystem.services.monitoring.settings import ServiceSettings

AT_ONCE_MAX = 2
_FORGET_PAUSE_SECONDS = 3600.0


class Courier(Protocol):
    async def send(self, url: str, text: Text, message_id: str) -> Outcome: ...


class Delivery:
    """A process that dies between sending and marking sends again after its lease: at least once, never lost."""

    def __init__(
        self, parts: Parts, courier: Courier, settings: ServiceSettings, *, jitter: Callable[[], float] = random.random
    ) -> None:
        self._parts, self._courier, self._settings, self._jitter = parts, courier, settings, jitter
        self._wake = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._forget_at = 0.0

    def wake(self) -> None:
        """There is something new to send."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                self._wake.clear()
                await self._look()
                woken = asyncio.ensure_future(self._wake.wait())
                await asyncio.wait(
                    (woken, stopping), timeout=self._settings.look_seconds, return_when=asyncio.FIRST_COMPLETED
                )
                woken.cancel()
        finally:
            stopping.cancel()
            await self.settle()

    async def settle(self) -> None:
        """Wait for what is being sent."""
        while self._sending:
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def _look(self) -> None:
        try:
            await self.begin_due()
            if self._parts.clock.monotonic() >= self._forget_at:
                await self._forget()
        except EcosystemError as error:
            if not error.retryable:
                raise
            log.warning("messages could not be looked for", code=error.code)

    async def begin_due(self) -> int:
        """Claim what is due, as much as there is room for, and begin to send it."""
        parts, begun = self._parts, 0
        if len(self._sending) >= AT_ONCE_MAX:
            return 0
        for company_id in await parts.database.read(lambda: parts.outbox.companies_due(parts.clock.now())):
            room = AT_ONCE_MAX - len(self._sending)
            if room <= 0:
                break
            lease, now = parts.ids.uuid(), parts.clock.now()
            until = now + timedelta(seconds=self._settings.delivery_lease_seconds)

            claim = partial(parts.outbox.claim, company_id, lease, now, until, room)
            with context.scope(company_id=company_id):
                claimed = await parts.database.run(claim)
                if (
                    parts.clock.now() >= until
                ):  # This process stood still: what it claimed may be somebody else's by now.
                    continue
                for one in claimed:
                    task = asyncio.create_task(self._deliver(company_id, one, lease))
                    self._sending.add(task)
                    task.add_done_callback(self._ended)
                    begun += 1
        return begun

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a delivery broke off; its lease ends and it is tried again", exc_info=error)

    async def _deliver(self, company_id: UUID, one: Claimed, lease: UUID) -> None:
        with context.scope(company_id=company_id):
            outcome = await self._attempt(company_id, one)
            state, due_at = self._after(one, outcome)
            parts = self._parts

            async def end() -> bool:
                held = await parts.outbox.end(
                    company_id, one.notification_id, lease, state, outcome.problem, parts.clock.now(), due_at
                )
                if held and state in (State.SENT, State.FAILED):
                    after = {"channel_id": str(one.channel_id), "attempts": one.attempts, "problem": outcome.problem}
                    await parts.fenced.record(company_id, f"notification_{state.value}", one.notification_id, after)
                return held

            held = await parts.database.run(end)
        METRICS.notification_attempts_total.labels("sent" if outcome.sent else outcome.problem).inc()
        write = log.info if outcome.sent else log.warning
        write(
            "message sent" if outcome.sent else "message not sent", notification_id=str(one.notification_id),
            channel_id=str(one.channel_id), attempt=one.attempts, state=state.value, problem=outcome.problem,
            lease_held=held,
        )  # fmt: skip

    async def _attempt(self, company_id: UUID, one: Claimed) -> Outcome:
        vault = self._parts.vault
        try:
            url = await vault.url(company_id, one.channel_id, one.person_id, one.sealed_url)
            sealed = await vault.text(company_id, one.notification_id, one.person_id, one.sealed_text)
        except EcosystemError as error:
            return Outcome(False, error.code, final=not error.retryable)
        title, body = orjson.loads(sealed)
        return await self._courier.send(url, Text(title, body), str(one.notification_id))

    def _after(self, one: Claimed, outcome: Outcome) -> tuple[State, datetime]:
        now = self._parts.clock.now()
        if outcome.sent:
            return State.SENT, now
        if outcome.final or one.attempts >= self._settings.delivery_attempts_max:
            return State.FAILED, now
        return State.WAITING, now + wait_after(one.attempts, self._jitter())

    async def _forget(self) -> None:
        """Remove messages that ended long ago: one look an hour."""
        parts = self._parts
        self._forget_at = parts.clock.monotonic() + _FORGET_PAUSE_SECONDS
        before = parts.clock.now() - timedelta(days=self._settings.notification_days)
        with suppress(EcosystemError):
            await parts.database.run(lambda: parts.outbox.forget(before))
