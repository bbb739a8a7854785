"""A process that works off runs until a certain call, says so, and stands still there: to be killed.

python -m tests.services.orchestrator.child URL REQUEST_TYPE
"""

import asyncio
import sys
from types import SimpleNamespace
from typing import Any, cast

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.settings import DatabaseSettings
from tests.kernel.db.fixtures import Platform
from tests.services.orchestrator.harness import a_harness


async def main(url: str, hangs_at: str) -> None:
    database = Database(DatabaseSettings.model_validate({"url": url}), "orchestrator")
    platform = cast(Platform, SimpleNamespace(database=lambda _: database))

    async def hangs(_: dict[str, Any]) -> dict[str, Any]:
        sys.stdout.write("reached\n")
        sys.stdout.flush()
        await asyncio.Event().wait()
        return {}

    async with a_harness(platform) as flow:
        flow.agents.behave[hangs_at] = hangs
        flow.work()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
