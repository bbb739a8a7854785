"""Goal: the edge follows registry and keys, survives their absence, and says so. Method: service with twins."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.harness import KernelHarness
from ecosystem.kernel.testing.twins import a_principal
from ecosystem.services.gateway.adapters import EdgeFolder
from ecosystem.services.gateway.app import build
from ecosystem.services.gateway.service import EdgeService
from tests.kernel.db.fixtures import Platform
from tests.services.gateway.test_model import JWKS, WANTED, Known

OTHER = {"keys": [{**JWKS["keys"][0], "kid": "k2"}]}


@dataclass
class Registry:
    known: list[Known] = field(default_factory=list)

    def instances(self, service: str | None = None) -> list[Known]:
        return self.known

    async def watch(self) -> AsyncIterator[None]:
        yield


@dataclass
class Keys:
    answers: list[Any]

    async def fetch(self) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Admin:
    counters: dict[str, int] = field(default_factory=lambda: {"lds.update_success": 1})
    absent: bool = False

    async def state(self) -> str:
        if self.absent:
            raise Unavailable
        return "live"

    async def stats(self) -> dict[str, int]:
        return self.counters

    async def close(self) -> None:
        return None


@dataclass
class Parts:
    service: EdgeService
    registry: Registry
    keys: Keys
    admin: Admin
    clock: FrozenClock
    folder: Path


def parts(folder: Path, *answers: Any) -> Parts:
    registry, keys, admin, clock = Registry(), Keys(list(answers)), Admin(), FrozenClock()
    service = EdgeService(
        WANTED, registry, EdgeFolder(folder), admin, keys, clock, look_seconds=1  # type: ignore[arg-type]
    )  # fmt: skip
    return Parts(service, registry, keys, admin, clock, folder)


class TestKeys:
    async def test_nothing_is_written_before_tokens_can_be_checked(self, tmp_path: Path) -> None:
        edge = parts(tmp_path, Unavailable("authn is away"))

        await edge.service.begin()

        assert not (tmp_path / "lds.json").exists()
        assert (edge.service.status, edge.service.state.problem) == ("waiting", "no keys yet: authn is away")

    async def test_it_waits_for_them_at_the_start(self, tmp_path: Path) -> None:
        edge = parts(tmp_path, Unavailable(), Unavailable(), JWKS)

        await edge.service.begin()

        assert (tmp_path / "lds.json").exists()

    async def test_those_of_the_last_run_serve_while_authn_is_away(self, tmp_path: Path) -> None:
        await parts(tmp_path, JWKS).service.begin()
        (tmp_path / "lds.json").unlink()

        await parts(tmp_path, Unavailable()).service.begin()

        assert (tmp_path / "lds.json").exists()

    async def test_new_ones_are_written_and_damaged_ones_are_not(self, tmp_path: Path) -> None:
        edge = parts(tmp_path, JWKS, {"keys": []}, OTHER)
        await edge.service.begin()

        edge.clock.advance(16)
        await edge.service.look()
        refused = edge.service.state.key_ids, edge.service.state.problem
        edge.clock.advance(16)
        await edge.service.look()

        assert refused == (("k1",), "authn's keys are refused: a JWKS has keys")
        assert (edge.service.state.key_ids, edge.service.state.written) == (("k2",), ("ecds_jwt.json",))


class TestInstances:
    async def test_one_that_drains_is_taken_out_at_once(self, tmp_path: Path) -> None:
        edge = parts(tmp_path, JWKS)
        edge.registry.known = [Known("creditx-service", 1), Known("creditx-service", 2)]
        await edge.service.begin()

        edge.registry.known = [Known("creditx-service", 1), Known("creditx-service", 2, state="draining")]
        edge.service.write()

        assert edge.service.state.instances["creditx-service"] == 1
        assert edge.service.state.written == ("eds_creditx-service.json",)

    async def test_a_folder_that_cannot_be_written_is_told(self, tmp_path: Path) -> None:
        edge = parts(tmp_path / "absent", JWKS)

        await edge.service.begin()

        assert "cannot be written" in str(edge.service.state.problem)

    async def test_a_file_that_was_lost_is_written_again(self, tmp_path: Path) -> None:
        edge = parts(tmp_path, JWKS)
        await edge.service.begin()
        (tmp_path / "cds.json").unlink()

        await edge.service.look()

        assert (edge.service.state.written, (tmp_path / "cds.json").exists()) == (("cds.json",), True)


class TestEnvoy:
    async def test_a_rejected_update_is_told_until_it_is_mended(self, tmp_path: Path) -> None:
        edge = parts(tmp_path, JWKS)
        await edge.service.look()
        seen = [edge.service.status]
        for counters in ({"lds.update_success": 1, "lds.update_rejected": 1}, {"lds.update_success": 2}):
            edge.admin.counters = counters
            await edge.service.look()
            seen.append(edge.service.status)

        assert seen == ["serving", "rejected", "serving"]

    async def test_one_that_does_not_answer_is_waited_for(self, tmp_path: Path) -> None:
        edge = parts(tmp_path, JWKS)
        edge.admin.absent = True

        await edge.service.look()

        assert (edge.service.status, edge.service.state.envoy) == ("waiting", "unreachable")


class TestRoute:
    @pytest.fixture
    async def harness(self, platform: Platform, tmp_path: Path) -> AsyncIterator[KernelHarness]:
        folder = tmp_path / "edge"
        folder.mkdir()
        EdgeFolder(folder).write({"ecds_jwt.json": b""})
        given = {"edge_folder": str(folder), "pem_file": str(tmp_path / "e.pem"), "ca_file": str(tmp_path / "c.pem")}
        contracts = ContractIndex(AGENTS, EVENTS)
        async with KernelHarness(
            platform, tmp_path, contracts, overrides={"gateway": given}, clock=FrozenClock()
        ) as harness:
            yield harness

    async def test_edge_is_shown_to_whoever_may_read_the_platform(self, harness: KernelHarness) -> None:
        gateway = await harness.service(build, "gateway-service", "gateway")

        shown = await gateway.client(a_principal(None, "platform:read")).get("/v1/edge")
        without = await gateway.client(a_principal(None, "runs:read")).get("/v1/edge")
        unknown = await gateway.client().get("/v1/edge")

        assert (shown.status_code, shown.json()["status"], shown.json()["address"]) == (
            200, "waiting", "https://127.0.0.1:8443",
        )  # fmt: skip
        assert (without.status_code, without.json()["code"]) == (403, "scope_missing")
        assert unknown.status_code == 401
