"""Goal: damage is found and told once, retention is kept. Method: the service on real files and a real database."""

import os
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ecosystem.contracts.index import AGENTS
from ecosystem.contracts.objects import EVENTS, ObjectRestored
from ecosystem.kernel import context
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.objects.objects import ObjectRef
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.objects.app import build
from ecosystem.services.objects.model import Storage, warnings
from tests.kernel.db.fixtures import Platform

ROUTE = "/v1/engines/objects"
AMY = UUID("00000000-0000-7000-8000-00000000000a")
BOB = UUID("00000000-0000-7000-8000-00000000000b")
OPERATOR = Principal("operator", None, frozenset({"platform:read"}))
ANALYST = Principal("analyst", None, frozenset({"documents:read"}))


class Care:
    """The service, the files it cares for, and its log."""

    def __init__(self, harness: KernelHarness, service: ServiceHarness, folder: Path, clock: FrozenClock) -> None:
        self.harness, self.service, self.folder, self.clock = harness, service, folder, clock

    async def put(self, company_id: UUID, content: bytes, until: date | None = None) -> ObjectRef:
        objects = self.service.kernel.objects
        return await objects.put(company_id, content, retain_until=until or objects.retain_until())

    def file(self, ref: ObjectRef) -> Path:
        return next(self.folder.rglob(ref.digest))

    async def check(self) -> None:
        await self.service.job("check-objects")

    async def shown(self, path: str = "") -> dict[str, Any]:
        answer = await self.service.client(OPERATOR).get(ROUTE + path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def told(self) -> list[tuple[UUID, dict[str, Any]]]:
        return [(company, data) for _, _, company, data in self.harness.events("object_damage_found")]


@pytest.fixture
async def care(platform: Platform, tmp_path: Path) -> AsyncIterator[Care]:
    clock = FrozenClock()
    contracts = ContractIndex(AGENTS, {kind.event_type: kind for kind in EVENTS})
    overrides = {"integrity": {"check_objects_max": 2, "delete_expired": True}}
    async with KernelHarness(platform, tmp_path, contracts, overrides=overrides, clock=clock) as harness:
        service = await harness.service(build, "objects-service", "objects")
        yield Care(harness, service, tmp_path / "objects", clock)


class TestSweep:
    async def test_every_object_is_looked_at_in_rounds(self, care: Care) -> None:
        refs = [await care.put(company, b"x" * number) for company in (AMY, BOB) for number in (1, 2, 3)]
        rounds = 0
        while not (found := await care.shown())["last_sweep"]:
            await care.check()
            rounds += 1
            assert rounds < 10

        assert rounds == 3
        assert found["last_sweep"]["objects"] == len(refs)
        assert found["last_sweep"]["stored_bytes"] == sum(care.file(ref).stat().st_size for ref in refs)
        assert found["last_sweep"]["next_expiry"] == str(care.service.kernel.objects.retain_until())
        assert (found["findings"], found["warnings"], found["healthy"]) == (0, [], True)

    async def test_next_sweep_begins_after_its_pause(self, care: Care) -> None:
        await care.put(AMY, b"content")
        await care.check()
        first = (await care.shown())["last_sweep"]
        await care.check()
        assert (await care.shown())["last_sweep"] == first

        care.clock.advance(timedelta(hours=24).total_seconds())
        await care.check()
        assert (await care.shown())["last_sweep"]["started_at"] > first["started_at"]

    async def test_its_end_removes_what_killed_writers_left(self, care: Care) -> None:
        ref = await care.put(AMY, b"content")
        left = care.file(ref).with_name(f"{ref.digest}#1")
        left.write_bytes(b"con")
        two_days_ago = (care.clock.now() - timedelta(days=2)).timestamp()
        os.utime(left, (two_days_ago, two_days_ago))
        await care.check()

        assert not left.exists()
        assert care.file(ref).exists()

    async def test_empty_storage_is_a_whole_sweep(self, care: Care) -> None:
        await care.check()

        assert (await care.shown())["last_sweep"]["objects"] == 0


class TestDamage:
    async def test_damage_is_found_told_once_and_forgotten_when_mended(self, care: Care) -> None:
        ref = await care.put(AMY, b"content")
        sound = care.file(ref).read_bytes()
        care.file(ref).write_bytes(sound[:30] + b"?" + sound[31:])

        for _ in range(2):
            await care.check()
            care.clock.advance(timedelta(hours=25).total_seconds())
        found = await care.shown("/findings")
        assert [(one["name"], one["code"]) for one in found["items"]] == [(ref.name, "object_damaged")]
        assert care.told() == [(AMY, {"object_digest": ref.digest, "code": "object_damaged"})]
        assert "1 object is damaged" in (await care.shown())["warnings"][0]

        care.file(ref).write_bytes(sound)
        await care.check()
        assert (await care.shown("/findings"))["items"] == []
        restored = [(company, data) for _, _, company, data in care.harness.events("object_restored")]
        assert restored == [(AMY, {"object_digest": ref.digest, "source": "backup"})]

    async def test_what_its_owner_restored_is_no_finding_any_more(self, care: Care) -> None:
        ref, kernel = await care.put(AMY, b"content"), care.service.kernel
        care.file(ref).write_bytes(b"gone")
        await care.check()
        with context.scope(company_id=AMY):
            restored = ObjectRestored(object_digest=ref.digest, source="event_log")
            await kernel.database.run(lambda: kernel.outbox.add(restored))
        await care.harness.settle()

        assert (await care.shown("/findings"))["items"] == []

    async def test_findings_come_in_pages(self, care: Care) -> None:
        refs = [await care.put(AMY, b"x" * number) for number in range(3)]
        for ref in refs:
            care.file(ref).write_bytes(b"gone")
        while not (await care.shown())["last_sweep"]:
            await care.check()

        first = await care.shown("/findings?limit=2")
        second = await care.shown(f"/findings?limit=2&cursor={first['next_cursor']}")
        names = [one["name"] for one in first["items"] + second["items"]]
        assert names == sorted(ref.name for ref in refs)
        assert second["next_cursor"] is None

    def test_full_disk_and_lost_rights_are_warned_of(self) -> None:
        assert len(warnings(Storage("folder", False, 5, 100), 0)) == 2
        assert warnings(Storage("folder", True, 50, 100), 0) == []


class TestRetention:
    async def test_expired_object_is_deleted_and_the_audit_says_so(self, care: Care) -> None:
        today = care.clock.now().date()
        kept = await care.put(AMY, b"kept", until=today)
        gone = await care.put(AMY, b"gone", until=today - timedelta(days=1))

        while not (await care.shown())["last_sweep"]:
            await care.check()

        assert [name async for name in care.service.kernel.objects.list()] == [kept.name]
        audited = [(company, data["target"]) for *_, company, data in care.harness.events("audit_recorded")]
        assert audited == [(AMY, gone.name)]


class TestRefusals:
    @pytest.mark.parametrize("path", ["", "/findings"])
    async def test_needs_a_token_and_the_scope(self, care: Care, path: str) -> None:
        assert (await care.service.client().get(ROUTE + path)).status_code == 401
        refused = await care.service.client(ANALYST).get(ROUTE + path)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")

    async def test_changed_cursor_is_refused(self, care: Care) -> None:
        refused = await care.service.client(OPERATOR).get(f"{ROUTE}/findings?cursor=nonsense")

        assert (refused.status_code, refused.json()["code"]) == (422, "cursor_invalid")
