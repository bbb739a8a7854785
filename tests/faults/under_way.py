"""A fault for as long as a test wants it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

FOR_EVER_SECONDS = 3600


@asynccontextmanager
async def under_way(fault: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """`fault` has begun in here, and is over behind it."""
    task = asyncio.create_task(fault)
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
