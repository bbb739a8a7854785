"""A process that works off documents with real agents until one of them has done its work, and is killed there.

python -m tests.services.orchestrator.mid_air FOLDER REQUEST_TYPE, with the URLs of the logins as JSON in `URLS`: says
`reached` when the agent has answered and the answer is not yet kept, and stands still.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.settings import DatabaseSettings
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.kernel.testing.harness import KernelHarness
from ecosystem.services.creditx.app import build as build_creditx
from ecosystem.services.events.app import build as build_events
from ecosystem.services.orchestrator.app import build


class Logins:
    """The part of the fixture `platform` that a harness needs."""

    def __init__(self, urls: dict[str, str]) -> None:
        self._urls = urls

    def url(self, role: str) -> str:
        return self._urls[role]

    def database(self, schema: str, **changes: Any) -> Database:
        settings = {"url": self.url(f"eco_{schema}"), **changes}
        return Database(DatabaseSettings.model_validate(settings), schema)

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        raise NotImplementedError


async def main(folder: Path, hangs_after: str) -> None:
    def build_hanging(kernel: Kernel) -> Service:
        ask = kernel.agents.call_raw

        async def call_raw(to: str, request_type: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
            answer = await ask(to, request_type, payload, **more)
            if request_type == hangs_after:
                sys.stdout.write("reached\n")
                sys.stdout.flush()
                await asyncio.Event().wait()
            return answer

        kernel.agents.call_raw = call_raw  # type: ignore[method-assign]
        return build(kernel)

    logins = Logins(json.loads(os.environ["URLS"]))
    async with KernelHarness(logins, folder, ContractIndex(AGENTS, EVENTS)) as harness:
        await harness.service(build_creditx, "creditx-service", "creditx")
        await harness.service(build_events, "events-service", "events")
        await harness.service(build_hanging, "orchestrator-agent", "orchestrator")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
