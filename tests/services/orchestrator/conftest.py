"""A harness on a fresh database for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.kernel.db.fixtures import Platform
from tests.services.orchestrator.harness import Harness, a_harness


@pytest.fixture
async def flow(platform: Platform) -> AsyncIterator[Harness]:
    async with a_harness(platform) as harness:
        yield harness
