"""A process that works off runs until a certain call, says so, and stands still there: to be killed.

python -m tests.services.orchestrator.child URL REQUEST_TYPE [N]: at the n-th call of that type, the first if left out.
A document it validates is a scan of three batches where the call is `read_pages`.
"""

import asyncio
import sys
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

from ecosystem.kernel.db.database import Database
from ecosystem.kernel.db.settings import DatabaseSettings
from tests.kernel.db.fixtures import Platform
from tests.services.orchestrator.harness import ANSWERS, a_harness, a_scan


async def main(url: str, hangs_at: str, number: int) -> None:
    database = Database(DatabaseSettings.model_validate({"url": url}), "orchestrator")
    platform = cast(Platform, SimpleNamespace(database=lambda _: database))

    calls = count(1)

    async def hangs(_: dict[str, Any]) -> dict[str, Any]:
        if next(calls) < number:
            answer: dict[str, Any] = ANSWERS[hangs_at]
            return answer
        sys.stdout.write("reached\n")
        sys.stdout.flush()
        await asyncio.Event().wait()
        return {}

    async with a_harness(platform) as flow:
        flow.agents.behave[hangs_at] = hangs
        if hangs_at == "read_pages":
            flow.agents.behave["validate_document"] = a_scan(3)
        flow.work()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int([*sys.argv, "1"][3])))
