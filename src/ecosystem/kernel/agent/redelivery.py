"""Brings the calls that wait for absent agents to them again, in order, when the agents are back.

Every replica does this: a call is claimed by one process at a time, and a dead one's claims are free at once. A call
that two processes bring all the same has one request_id: its effect happens once, and its first answer counts.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ecosystem.kernel import context
from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.agent.client import AgentClient, backups_heard
from ecosystem.kernel.agent.message import NoInstance
from ecosystem.kernel.agent.metrics import REDELIVERED, WAITING, WAITING_SECONDS
from ecosystem.kernel.agent.settings import AgentSettings
from ecosystem.kernel.agent.waiting import Claimed, WaitingCalls, announced, channel
from ecosystem.kernel.caching.cache import Cache
from ecosystem.kernel.caching.lifetimes import cache_key
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.errors import EcosystemError, Kind, describe
from ecosystem.kernel.ids import Ids, SystemIds
from ecosystem.kernel.resilience.errors import NotTried
from ecosystem.kernel.telemetry.log import log

ANNOUNCED = "waiting"
PAUSES = (2.0, 5.0, 15.0)
"""After each failure that counts; a call that fails once more is given back to its run."""
_LOCKS = "eco.worker"
_BUSY_SECONDS, _IDLE_SECONDS = 1.0, 5.0
_REFUSED_SECONDS_MAX = 30.0


class Redelivery:
    """`is_ready`: whether an instance of that service takes calls now, as the registry knows it."""

    def __init__(
        self, database: Database, waiting: WaitingCalls, agents: AgentClient, cards: Mapping[str, AgentCard],
        cache: Cache, is_ready: Callable[[str], bool], settings: AgentSettings | None = None, ids: Ids | None = None,
    ) -> None:  # fmt: skip
        self._database, self._waiting, self._agents, self._cards = database, waiting, agents, cards
        self._cache, self._is_ready = cache, is_ready
        self._at_once_max = (settings or AgentSettings()).redeliveries_at_once_max
        self.name = f"{database.schema}/redelivery/{(ids or SystemIds()).uuid()}"
        self._wake = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._shown: frozenset[str] = frozenset()

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop`: at each wake-up, each second while anything waits, else now and then into the cache."""
        wakeups = self._database.wakeups
        wakeups.hold(_LOCKS, self.name)
        wakeups.subscribe(channel(self._database.schema), self._wake)
        stopping = asyncio.create_task(self._stop_wakes(stop))
        try:
            while not stop.is_set():
                fresh = self._wake.is_set() or bool(self._shown)
                self._wake.clear()
                try:
                    await self.look(fresh=fresh)
                except EcosystemError as error:
                    log.warning("the queue of absent agents could not be looked at", code=error.code)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_BUSY_SECONDS if self._shown else _IDLE_SECONDS):
                        await self._wake.wait()
        finally:
            stopping.cancel()
            for task in self._running:
                task.cancel()
            await asyncio.gather(stopping, *self._running, return_exceptions=True)
            wakeups.unsubscribe(channel(self._database.schema), self._wake)
            wakeups.release(_LOCKS, self.name)

    async def look(self, *, fresh: bool = True) -> None:
        """One round: say what waits, and begin to bring what may be brought. Raises DatabaseUnavailable."""
        waiting = await self._announce(fresh)
        agents = [name for name in waiting if self._may_answer(name)]
        free = self._at_once_max - len(self._running)
        if not agents or free <= 0:
            return
        for call in await self._waiting.claim(self.name, agents, free):
            task = asyncio.create_task(self._bring(call), name=f"redelivery {call.call_id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _stop_wakes(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    async def _announce(self, fresh: bool) -> frozenset[str]:
        """The agents that calls wait for. The cache says so for a moment; after that, or without it, the database."""
        with context.scope(company_id=None):
            key = cache_key("calls", ANNOUNCED)
            said = None if fresh else await self._cache.get(key)
            if said is not None:
                found = frozenset(orjson.loads(said))
                if not found:
                    return found
            lines = await self._waiting.lines()
            await self._cache.set(key, announced(lines))
        for line in lines:
            WAITING.labels(line.agent_id).set(line.calls)
            WAITING_SECONDS.labels(line.agent_id).set(line.seconds)
        found = frozenset(line.agent_id for line in lines)
        for name in self._shown - found:
            WAITING.labels(name).set(0)
            WAITING_SECONDS.labels(name).set(0)
        self._shown = found
        return found

    def _may_answer(self, agent_id: str) -> bool:
        card = self._cards.get(agent_id)
        if card is None:
            return False
        return self._is_ready(card.service) or bool(card.fallback.backup and self._is_ready(card.fallback.backup))

    async def _bring(self, call: Claimed) -> None:
        about, outcome = call.about, "put_back"
        scope = context.scope(
            company_id=call.company_id, user_id=about["user_id"], trace_id=about["trace_id"],
            span_id=about["span_id"], agent_id=about["sender"], deadline=None,
            # More than one, so that the agent looks for an answer that it has recorded before.
            attempt=about["attempt"] + 1 + call.failures,
        )  # fmt: skip
        with scope:
            try:
                outcome = await self._ask(call)
            except Exception as error:
                log.warning("a waiting call could not be settled", call_id=str(call.call_id), exc_info=error)
                await self._give_back(call)
            except asyncio.CancelledError:
                await self._give_back(call, tries=1)
                raise
        REDELIVERED.labels(call.agent_id, outcome).inc()
        if outcome != "put_back":
            self._wake.set()

    async def _give_back(self, call: Claimed, tries: int = 6) -> None:
        """Whatever was not written down is asked again; a claim that cannot even be given back ends by itself."""
        for pause in range(tries):
            try:
                await self._waiting.put_back(call, self.name, _BUSY_SECONDS)
                return
            except EcosystemError:
                await asyncio.sleep(pause)

    async def _ask(self, call: Claimed) -> str:
        about = call.about
        try:
            with backups_heard() as heard:
                answer = await self._agents.call_raw(
                    call.agent_id, call.request_type, orjson.loads(call.payload), sender=about["sender"],
                    timeout_seconds=about["timeout_seconds"], request_id=call.request_id,
                )  # fmt: skip
        except (NotTried, NoInstance) as refusal:
            seconds = min(refusal.retry_after_seconds, _REFUSED_SECONDS_MAX)
            await self._waiting.put_back(call, self.name, seconds)
            return "put_back"
        except EcosystemError as error:
            failure = describe(error)
            if failure.kind is Kind.TRANSIENT and call.failures < len(PAUSES):
                await self._waiting.put_back(call, self.name, PAUSES[call.failures], failure.code)
                return "put_back"
            log.warning("a waiting call failed for good", call_id=str(call.call_id), code=failure.code)
            await self._waiting.answer(call, {"failure": failure_as_json(error)})
            return "failed"
        await self._waiting.answer(call, {"answer": answer, **({"via": heard[-1]} if heard else {})})
        return "answered"


def failure_as_json(error: EcosystemError) -> dict[str, Any]:
    """A failure as a waiting task gets it; `Failure(**it)` with kind and severity read back."""
    failure = describe(error)
    return {
        "code": failure.code, "message": failure.message, "kind": failure.kind.value,
        "severity": failure.severity.value, "suggestion": failure.suggestion, "status": failure.status,
    }  # fmt: skip
