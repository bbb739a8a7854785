"""Apprise, reached in a process of its own (see `courier.py` for what it may do there)."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.sandbox.errors import SandboxTimeout
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.services.monitoring.notifying.model import Outcome, Text

_COURIER = "ecosystem.services.monitoring.notifying.courier"
_MEMORY_BYTES_MAX = 256 << 20
_CHECK_SECONDS = 15.0


class Apprise:
    """`networks` are private ones that the operator allows; `seconds` are what one delivery may take."""

    def __init__(self, sandbox: Sandbox, networks: tuple[str, ...], seconds: float) -> None:
        self._sandbox, self._networks, self._seconds = sandbox, networks, seconds

    async def service_of(self, url: str) -> str | None:
        """What kind an address is (`Slack`), None where Apprise does not understand it. Raises SandboxUnavailable."""
        answer = await self._ask("check", {"url": url}, _CHECK_SECONDS)
        service = answer.get("service")
        return str(service) if service else None

    async def send(self, url: str, text: Text, message_id: str) -> Outcome:
        """Deliver, or say by a coded word why not. It never raises what a provider did."""
        job = {
            "url": url, "title": text.title, "body": text.body, "message_id": message_id, "allowed": self._networks,
            "seconds": self._seconds,
        }  # fmt: skip
        try:
            answer = await self._ask("send", job, self._seconds)
        except SandboxTimeout:
            return Outcome(False, "no_answer_in_time")
        except asyncio.CancelledError:
            raise
        except EcosystemError as error:
            return Outcome(False, error.code)
        return Outcome(bool(answer.get("sent")), answer.get("problem"), bool(answer.get("final")))

    async def _ask(self, function: str, job: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        answer: dict[str, Any] = await self._sandbox.run(
            f"{_COURIER}:{function}", orjson.dumps(job), timeout_seconds=seconds, network=True,
            memory_bytes_max=_MEMORY_BYTES_MAX, output_bytes_max=4096,
        )  # fmt: skip
        return answer
