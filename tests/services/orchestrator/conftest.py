"""A harness on a fresh database for each test."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from tests.kernel.db.fixtures import Platform
from tests.services.orchestrator.harness import Harness, a_harness


def _short(_: Any, __: str, event: Any) -> str:
    return f"{event.get('event')} {event.get('code', '')} {event.get('exc_info')!r}"


@pytest.fixture(autouse=True, scope="session")
def _short_lines() -> None:
    """structlog's default draws each traceback with its locals: seconds for each attempt that fails as it should."""
    structlog.configure(processors=[_short])


@pytest.fixture
async def flow(platform: Platform) -> AsyncIterator[Harness]:
    async with a_harness(platform) as harness:
        yield harness
