"""The small service on a whole kernel, shared by the tests of runtime, http and agents."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from tests.kernel.db.fixtures import Platform
from tests.kernel.runtime.small import CONTRACTS, NAME, SCHEMA, Small, build_small


@dataclass
class SmallHarness:
    harness: KernelHarness
    hosted: ServiceHarness
    small: Small


@pytest.fixture
async def small(platform: Platform, tmp_path: Path) -> AsyncIterator[SmallHarness]:
    made: list[Small] = []

    def build(kernel: Kernel) -> Service:
        one, service = build_small(kernel)
        made.append(one)
        return service

    async with KernelHarness(platform, tmp_path, CONTRACTS) as harness:
        hosted = await harness.service(build, NAME, SCHEMA)
        yield SmallHarness(harness, hosted, made[0])
