"""The first look at an upload, and the reading that its worker goes on with while the upload is still being kept.

What is read ahead stays in memory until the document's own reading asks for it, in this process and for a moment only;
whoever does not find it there reads the document itself and finds the same.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ecosystem.contracts.creditx import Facts
from ecosystem.kernel.sandbox.errors import (
    SandboxCrash,
    SandboxError,
    SandboxMemory,
    SandboxOutput,
    SandboxRaised,
    SandboxTimeout,
)
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.kernel.sandbox.shared import SharedBytes
from ecosystem.services.creditx.errors import DocumentRefused
from ecosystem.services.creditx.model import Habits
from ecosystem.services.creditx.settings import ServiceSettings

ARRIVAL = "ecosystem.services.creditx.reading.arrival"
_KEPT_MAX, _KEPT_SECONDS = 64, 30.0
_Reading = dict[str, Any] | None


@dataclass(frozen=True)
class Ahead:
    """A reading that is under way, and the habits that it is made by. None: there is none after all."""

    task: asyncio.Task[_Reading]
    by: dict[str, Any]


class Arrivals:
    def __init__(self, sandbox: Sandbox, settings: ServiceSettings) -> None:
        self._sandbox, self._settings = sandbox, settings
        self._kept: dict[UUID, Ahead] = {}

    async def inspect(self, content: SharedBytes, file_name: str) -> dict[str, Any]:
        """What the bytes say about themselves. Raises DocumentRefused."""
        async with aclosing(self._stages(content, file_name, None)) as stages:
            return await _facts(stages)

    @asynccontextmanager
    async def arrived(
        self, document_id: UUID, content: SharedBytes, file_name: str, habits: Habits | None
    ) -> AsyncIterator[asyncio.Task[dict[str, Any]]]:
        """The same, under way while the block does what else there is to do; await it for the facts.

        The reading by `habits` follows. Both are given up where the block raises or has cancelled the task. The task
        raises DocumentRefused.
        """
        by = reading_by(habits) if habits is not None else None
        looking = asyncio.create_task(self._look(document_id, self._stages(content, file_name, by), by))
        given_up = True
        try:
            # The worker is to have its job before this process is busy with the rest.
            await asyncio.sleep(0)
            yield looking
            if not looking.cancelling():
                await looking
                given_up = False
        finally:
            if given_up:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
                self._forget(document_id)

    async def _look(
        self, document_id: UUID, stages: AsyncGenerator[dict[str, Any], None], by: dict[str, Any] | None
    ) -> dict[str, Any]:
        try:
            facts = await _facts(stages)
        except BaseException:
            await stages.aclose()
            raise
        if by is None:
            await stages.aclose()
        else:
            self._keep(document_id, Ahead(asyncio.create_task(_rest(stages)), by))
        return facts

    async def reading(self, document_id: UUID, by: dict[str, Any]) -> _Reading:
        """What was read ahead by the same habits, once; None where nothing was."""
        ahead = self._kept.pop(document_id, None)
        if ahead is None:
            return None
        if ahead.by != by:
            ahead.task.cancel()
            return None
        return await ahead.task

    def _stages(
        self, content: SharedBytes, file_name: str, by: dict[str, Any] | None
    ) -> AsyncGenerator[dict[str, Any], None]:  # fmt: skip
        limits = self._settings
        inspect = {
            "file_name": file_name, "pages_max": limits.pages_max, "inflated_bytes_max": limits.inflated_bytes_max,
        }  # fmt: skip
        arguments = {"inspect": inspect, "habits": by, "extracted_pages_max": limits.read_ahead_pages_max}
        return self._sandbox.stages(f"{ARRIVAL}:arrive", content, arguments, timeout_seconds=limits.inspect_seconds_max)

    def _keep(self, document_id: UUID, ahead: Ahead) -> None:
        """The oldest gives way where there are too many."""
        while len(self._kept) >= _KEPT_MAX:
            self._forget(next(iter(self._kept)))
        self._kept[document_id] = ahead
        asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._forget, document_id)

    def _forget(self, document_id: UUID) -> None:
        ahead = self._kept.pop(document_id, None)
        if ahead is not None:
            ahead.task.cancel()


def reading_by(habits: Habits) -> dict[str, Any]:
    """The arguments of an extraction that come from the company."""
    return {"date_order": habits.date_order, "country": habits.country}


async def _facts(stages: AsyncGenerator[dict[str, Any], None]) -> dict[str, Any]:
    """Raises DocumentRefused."""
    try:
        answer = await anext(stages)
    except SandboxMemory:
        raise DocumentRefused("decompression_bomb") from None
    except (SandboxTimeout, SandboxOutput, SandboxCrash):
        raise DocumentRefused("too_complex") from None
    except SandboxRaised as error:
        endless = error.details.get("error") == RecursionError.__name__
        raise DocumentRefused("too_complex" if endless else "truncated_file") from None
    if broken := answer.get("refused"):
        raise DocumentRefused(broken, **answer["limits"])
    facts: dict[str, Any] = Facts.model_validate(answer["facts"]).model_dump(mode="json")
    return facts


async def _rest(stages: AsyncGenerator[Any, None]) -> _Reading:
    try:
        async with aclosing(stages):
            return await anext(stages, None)
    except SandboxError:
        return None
