"""One tick of a service's job on a test's database and folder, in a process that is killed meanwhile."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from ecosystem.catalog import find
from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.entrypoints import resolve
from ecosystem.kernel.db.database import Database
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.harness import KernelHarness
from tests.kernel.db.fixtures import Platform, PlatformCluster
from tests.support.engines import PostgresEngine
from tests.support.killing import HOLD_SECONDS, killed_while_it_waits


class Patient(Platform):
    """Its units of work stand still for as long as the test holds them."""

    def database(self, schema: str, **changes: Any) -> Database:
        return super().database(schema, transaction_timeout_seconds=HOLD_SECONDS, **changes)


def killed_job(
    holding: str, platform: Platform, folder: Path, service: str, job: str, **overrides: dict[str, Any]
) -> None:
    """The job killed where it needs what `holding` locks; `overrides` are settings by section."""
    killed_while_it_waits(
        platform.admin_url, holding, one_job, engine_url=platform.cluster.engine.admin_url, database=platform.name,
        folder=str(folder), service=service, job=job, overrides=overrides,
    )  # fmt: skip


async def one_job(
    engine_url: str, database: str, folder: str, service: str, job: str, overrides: dict[str, dict[str, Any]]
) -> None:
    """The job named `job`, once; what `before_ready` does has run before."""
    entry = find(service)
    assert entry
    cluster = SimpleNamespace(engine=PostgresEngine(engine_url, Path(folder), 0))
    platform = Patient(cast(PlatformCluster, cluster), database)
    contracts = ContractIndex(AGENTS, EVENTS)
    async with KernelHarness(platform, Path(folder), contracts, overrides=overrides) as harness:
        running = await harness.service(resolve(entry.build), entry.name, entry.schema, workers=False)
        await running.job(job)
