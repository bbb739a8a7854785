"""Here every platform has the tables `things` and `parts` in the schema `objects`."""

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from tests.kernel.db.fixtures import TEMPLATE, Platform, PlatformCluster, a_platform, execute
from tests.kernel.db.recycling import Pristine
from tests.kernel.db.things import make_things

THINGS = "eco_things"


@pytest.fixture(scope="session")
def things_cluster(platform_cluster: PlatformCluster) -> Iterator[PlatformCluster]:
    execute(platform_cluster.engine.admin_url, f"create database {THINGS} template {TEMPLATE}")
    make_things(platform_cluster.admin_url(THINGS))
    with psycopg.connect(platform_cluster.admin_url(THINGS), autocommit=True) as connection:
        pristine = Pristine.of(connection)
    cluster = PlatformCluster(platform_cluster.engine, platform_cluster.applied, pristine, THINGS)
    yield cluster
    cluster.helper.shutdown(cancel_futures=True)


@pytest.fixture
async def platform(things_cluster: PlatformCluster) -> AsyncIterator[Platform]:
    async with a_platform(things_cluster) as platform:
        yield platform
