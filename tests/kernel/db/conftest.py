"""Here every platform has the tables `things` and `parts` in the schema `objects`."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.kernel.db.fixtures import Platform, PlatformCluster, a_platform, a_variant
from tests.kernel.db.things import make_things


@pytest.fixture(scope="session")
def things_cluster(platform_cluster: PlatformCluster) -> Iterator[PlatformCluster]:
    with a_variant(platform_cluster, "eco_things", make_things) as cluster:
        yield cluster


@pytest.fixture
async def platform(things_cluster: PlatformCluster) -> AsyncIterator[Platform]:
    async with a_platform(things_cluster) as platform:
        yield platform
