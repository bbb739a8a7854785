"""Goal: the guide "add a service" is true. Method: write its files to a folder, migrate, use the service."""

import importlib
import re
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ecosystem import contracts, services
from ecosystem.kernel.db.migrate import MigrationSet, migrate
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from tests.kernel.db.fixtures import SETS, Platform
from tests.tidy.tree import ROOT

GUIDE = ROOT / "docs/guides/add-a-service.md"
BLOCK = re.compile(r"```python\n# (\S+\.py)\n(.*?)```", re.DOTALL)
AMY = Principal("amy", UUID(int=1), frozenset({"documents:read", "documents:write"}))
BOB = Principal("bob", UUID(int=2), frozenset({"documents:read"}))


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    """The files of the guide, importable as if they stood in the tree."""
    for name, code in BLOCK.findall(GUIDE.read_text()):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)
    services.__path__.append(str(tmp_path / "services"))
    contracts.__path__.append(str(tmp_path / "contracts"))
    importlib.invalidate_caches()
    yield tmp_path
    services.__path__.remove(str(tmp_path / "services"))
    contracts.__path__.remove(str(tmp_path / "contracts"))
    for name in [name for name in sys.modules if ".notices" in name]:
        del sys.modules[name]


@pytest.fixture
async def notices(written: Path, platform: Platform) -> AsyncIterator[tuple[KernelHarness, ServiceHarness]]:
    added = MigrationSet("notices-service", "notices", "ecosystem.services.notices.migrations")
    migrate(platform.admin_url, [*SETS, added], password_of=platform.cluster.engine.password_of)
    contract: Any = importlib.import_module("ecosystem.contracts.notices")
    app: Any = importlib.import_module("ecosystem.services.notices.app")
    index = ContractIndex({}, {kind.event_type: kind for kind in contract.EVENTS})
    async with KernelHarness(platform, written, index, overrides={"notices": {"notices_max": 2}}) as harness:
        yield harness, await harness.service(app.build, "notices-service", "notices")


class TestGuide:
    async def test_the_service_it_makes_works_and_is_fenced(
        self, notices: tuple[KernelHarness, ServiceHarness]
    ) -> None:
        harness, service = notices

        posted = await service.client(AMY).post("/v1/notices", json={"text": "The lift is out of order."})

        assert posted.status_code == 201, posted.text
        listed = (await service.client(AMY).get("/v1/notices")).json()["items"]
        assert [one["text"] for one in listed] == ["The lift is out of order."]
        assert (await service.client(BOB).get("/v1/notices")).json()["items"] == []
        assert [row[1] for row in harness.events("notice_posted")] == [posted.json()["notice_id"]]

    async def test_what_it_refuses_leaves_nothing(self, notices: tuple[KernelHarness, ServiceHarness]) -> None:
        harness, service = notices
        amy = service.client(AMY)
        answers = [await amy.post("/v1/notices", json={"text": f"{n}"}) for n in range(3)]
        refused = await service.client(BOB).post("/v1/notices", json={"text": "no scope"})

        assert [answer.status_code for answer in answers] == [201, 201, 409]
        assert answers[-1].json()["code"] == "too_many_notices"
        assert refused.status_code == 403
        assert len(harness.events("notice_posted")) == 2
