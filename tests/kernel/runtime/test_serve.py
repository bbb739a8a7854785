"""Goal: a service lives and ends as a process as its parent and its callers expect. Method: a real child with mTLS."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from ecosystem.kernel import context
from ecosystem.kernel.agent.client import AgentClient
from ecosystem.kernel.agent.transport import GrpcTransport
from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.identity.authority import Authority
from ecosystem.kernel.identity.identity import Identity, write_atomically
from ecosystem.kernel.registry.registry import Registry
from ecosystem.kernel.testing.twins import an_identity
from tests.kernel.db.fixtures import Platform
from tests.kernel.runtime.small import AGENTS, COMPANY, NAME, SCHEMA, Measure, Measured, Note, Noted
from tests.support.poll import PATIENCE_SECONDS, eventually

ROOT = Path(__file__).parents[3]


@dataclass
class Child:
    process: subprocess.Popen[bytes]
    pipe: int
    folder: Path
    authority: Authority
    said: list[dict[str, Any]] = field(default_factory=list)

    def identity(self, name: str) -> Identity:
        return an_identity(self.authority, self.folder, name)

    async def says(self, state: str) -> dict[str, Any]:
        """Its line of this state, waited for."""

        async def look() -> dict[str, Any] | None:
            with contextlib.suppress(BlockingIOError):
                self.said += [json.loads(line) for line in os.read(self.pipe, 65536).splitlines()]
            return next((line for line in self.said if line["state"] == state), None)

        found = await eventually(look)
        assert found is not None
        return found

    async def ends(self) -> int:
        async def look() -> bool:
            return self.process.poll() is not None

        await eventually(look)
        return self.process.returncode

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "child.log").read_bytes().splitlines() if line[:1] == b"{"]


@pytest.fixture
def child(platform: Platform, tmp_path: Path) -> Iterator[Child]:
    authority = Authority.open(tmp_path / "authority")
    an_identity(authority, tmp_path, NAME)
    (tmp_path / "master.key").touch(mode=0o600)
    (tmp_path / "master.key").write_text("1:" + "5a" * 32)
    settings = {
        "database": {"url": platform.url(f"eco_{SCHEMA}")},
        "keys": {"master_key_file": str(tmp_path / "master.key")},
        "objects": {"folder": str(tmp_path / "objects")},
        "identity": {
            "pem_file": str(tmp_path / f"{NAME}.pem"), "ca_file": str(tmp_path / "ca.pem"), "watch_seconds": 0.05,
        },
        "runtime": {"drain_seconds": 0.1, "beat_seconds": 0.5},
        "telemetry": {"traces_folder": str(tmp_path / "traces"), "traces_flush_seconds": 0.05, "traces_ratio": 1.0},
    }  # fmt: skip
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with (tmp_path / "child.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.kernel.runtime.child", str(tmp_path / "settings.json"), str(writing)],
            cwd=ROOT, env={"PYTHONPATH": f"{ROOT}/src:{ROOT}", "PATH": os.environ["PATH"]}, pass_fds=(writing,),
            stdout=log, stderr=log,
        )  # fmt: skip
    os.close(writing)
    yield Child(process, reading, tmp_path, authority)
    if process.poll() is None:
        process.kill()
        process.wait()
    os.close(reading)


@pytest.fixture
async def asking(child: Child, platform: Platform) -> AsyncIterator[AgentClient]:
    """The agents' client of another service, which finds the child in the registry."""
    await child.says("ready")
    registry = Registry(platform.database("postgres"))
    await registry.open()
    transport = GrpcTransport(registry, child.identity("postgres-service"))
    yield AgentClient(AGENTS, transport)
    await transport.close()
    await registry.close()


async def test_a_life_from_start_to_stop(child: Child, asking: AgentClient) -> None:
    ready = await child.says("ready")
    edge = child.identity("edge").client_context(NAME)
    async with httpx.AsyncClient(verify=edge, base_url=f"https://127.0.0.1:{ready['http_port']}") as http:
        health = (await http.get("/health/ready")).json()
        refused = await http.get("/v1/things/1")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ready['plain_port']}") as plain:
        alive, metrics, other = [await plain.get(path) for path in ("/health/live", "/metrics", "/v1/things/1")]
    with context.scope(company_id=COMPANY, user_id="client-1"):
        measured = await asking.call(Measure(text_id="four"), to="small-agent", sender="asking-agent")
        noted = await asking.call(Note(note_id=UUID(int=1)), to="small-agent", sender="asking-agent")
        with pytest.raises(EcosystemError) as crashed:
            await asking.call(Measure(text_id="four", ask="crash"), to="small-agent", sender="asking-agent")
    child.process.send_signal(signal.SIGTERM)
    code = await child.ends()

    assert health["checks"] == {"database": "ok", "objects": "ok"}
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert alive.json() == {"status": "alive"}
    assert "agent_execution_duration_seconds" in metrics.text
    assert other.status_code == 404
    assert measured == Measured(length=4)
    assert isinstance(noted, Noted)
    assert crashed.value.code == "internal_error"
    assert code == 0
    await child.says("stopped")
    lines = [line for line in child.log() if line["message"] == "agent answered"]
    assert [line["context"]["status"] for line in lines] == ["success", "success", "error"]
    assert {line["company_id"] for line in lines} == {str(COMPANY)}
    assert "secret of" not in (child.folder / "child.log").read_text()
    spans = list((child.folder / "traces").glob("*.jsonl"))
    assert len(spans) == 1
    assert "agent measure" in spans[0].read_text()


async def test_certificates_renewed_in_flight_drop_nothing(child: Child, asking: AgentClient) -> None:
    """First a new leaf, then a new authority in two phases, under calls and on one kept connection."""
    ready = await child.says("ready")
    edge = child.identity("edge")
    stop, done = asyncio.Event(), [0, 0]

    async def call() -> None:
        while not stop.is_set():
            await asking.call(Measure(text_id="four"), to="small-agent", sender="asking-agent")
            done[0] += 1

    async def ask() -> None:
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(verify=edge.client_context(NAME), limits=limits) as http:
            while not stop.is_set():
                answer = await http.get(f"https://127.0.0.1:{ready['http_port']}/health/live")
                assert answer.status_code == 200
                done[1] += 1

    load = [asyncio.create_task(work()) for work in (call, call, ask)]
    for change in (child.authority.bundle, _rotate(child), _retire(child)):
        bundle, before = change(), list(done)
        write_atomically(child.folder / "ca.pem", bundle)
        for name in (NAME, "postgres-service", "edge"):
            write_atomically(child.folder / f"{name}.pem", Authority.open(child.folder / "authority").issue(name))
        asking._transport._identity.refresh()  # type: ignore[attr-defined]
        edge.refresh()

        async def both_went_on(before: list[int] = before) -> bool:
            return all(now > then + 20 for now, then in zip(done, before, strict=True))

        await eventually(both_went_on)
    stop.set()
    await asyncio.gather(*load)


def _rotate(child: Child) -> Any:
    return lambda: Authority.rotate(child.folder / "authority").bundle()


def _retire(child: Child) -> Any:
    return lambda: Authority.retire_older(child.folder / "authority").bundle()


async def test_wrong_settings_are_refused_for_good(child: Child) -> None:
    """Its certificate is another service's."""
    child.process.kill()
    child.process.wait()
    write_atomically(child.folder / f"{NAME}.pem", child.authority.issue("creditx-service"))
    command = [sys.executable, "-m", "tests.kernel.runtime.child", str(child.folder / "settings.json"), "2"]
    environment = {"PYTHONPATH": f"{ROOT}/src:{ROOT}"}
    again = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=environment, capture_output=True, timeout=PATIENCE_SECONDS, check=False
    )

    assert again.returncode == 78
    assert b"creditx-service" in again.stdout
