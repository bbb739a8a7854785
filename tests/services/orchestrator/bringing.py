"""A process that brings waiting calls again, says so at the first, and stands still there: to be killed.

python -m tests.services.orchestrator.bringing URL
"""

import asyncio
import sys
from types import SimpleNamespace
from typing import Any, cast

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.settings import DatabaseSettings
from tests.kernel.db.fixtures import Platform
from tests.services.orchestrator.harness import a_harness


async def main(url: str) -> None:
    database = Database(DatabaseSettings.model_validate({"url": url}), "orchestrator")

    async def hangs(_: dict[str, Any]) -> dict[str, Any]:
        sys.stdout.write("reached\n")
        sys.stdout.flush()
        await asyncio.Event().wait()
        return {}

    async with a_harness(cast(Platform, SimpleNamespace(database=lambda _: database)), waiting_calls_max=10) as flow:
        flow.agents.behave["validate_document"] = hangs
        flow.bring()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
