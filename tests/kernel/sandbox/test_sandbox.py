"""Goal: a hostile document harms nothing but its own job. Method: real workers are given each attack in turn."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from ecosystem.kernel import context
from ecosystem.kernel.errors import DeadlineExceeded
from ecosystem.kernel.sandbox import sandbox as module
from ecosystem.kernel.sandbox.errors import (
    SandboxCrash,
    SandboxError,
    SandboxMemory,
    SandboxOutput,
    SandboxRaised,
    SandboxTimeout,
    SandboxUnavailable,
)
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.kernel.sandbox.settings import SandboxSettings
from ecosystem.kernel.sandbox.shared import SharedBytes
from ecosystem.kernel.sandbox.spawning import Worker
from ecosystem.kernel.telemetry.metrics import METRICS
from tests.support.poll import PATIENCE_SECONDS, eventually, eventually_now

HOSTILE = "tests.kernel.sandbox.hostile"


@pytest.fixture(scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(SandboxSettings(timeout_seconds=PATIENCE_SECONDS, memory_bytes_max=64 << 20))
    yield sandbox
    await sandbox.close()


@pytest.fixture
async def own_sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(SandboxSettings(workers_warm=1, start_timeout_seconds=60))
    yield sandbox
    await sandbox.close()


class TestWork:
    async def test_a_function_answers_with_its_value(self, sandbox: Sandbox) -> None:
        answer = await sandbox.run(f"{HOSTILE}:echo", b"payload and more", {"word": "é", "number": 3})

        assert answer == {
            "size": 16, "head": b"payload ".hex(), "arguments": {"word": "é", "number": 3}, "prepared": 1,
        }  # fmt: skip

    async def test_a_payload_of_many_megabytes_arrives_whole(self, sandbox: Sandbox) -> None:
        with SharedBytes() as payload:
            for _ in range(40):
                payload.write(b"0123456789abcdef" * 65536)
            answer = await sandbox.run(f"{HOSTILE}:echo", payload)

        assert answer["size"] == 40 << 20

    async def test_a_job_never_meets_the_leftovers_of_another(self, sandbox: Sandbox) -> None:
        counts = [await sandbox.run(f"{HOSTILE}:remember", b"") for _ in range(4)]

        assert counts == [2, 2, 2, 2]

    async def test_a_worker_that_had_the_time_has_rehearsed(self, sandbox: Sandbox) -> None:
        async def rehearsed() -> bool:
            return bool(await sandbox.run(f"{HOSTILE}:rehearsals", b""))

        assert await eventually(rehearsed)

    async def test_stages_arrive_one_by_one_from_one_worker(self, sandbox: Sandbox) -> None:
        pids = [pid async for pid in sandbox.stages(f"{HOSTILE}:stages", b"", {"count": 3})]

        assert len(pids) == 3
        assert len(set(pids)) == 1

    async def test_a_stage_arrives_while_its_worker_goes_on_and_closing_ends_it(self, sandbox: Sandbox) -> None:
        async with aclosing(sandbox.stages(f"{HOSTILE}:one_stage_then_loop", b"", timeout_seconds=60)) as stages:
            worker = psutil.Process(await anext(stages))
            await asyncio.to_thread(eventually_now, lambda: busy(worker))
            assert not gone(worker)

        await asyncio.to_thread(eventually_now, lambda: gone(worker))

    async def test_the_time_of_a_job_is_that_of_all_its_stages(self, sandbox: Sandbox) -> None:
        async def all_of_them() -> list[int]:
            stages = sandbox.stages(f"{HOSTILE}:one_stage_then_loop", b"", timeout_seconds=1)
            return [pid async for pid in stages]

        with pytest.raises(SandboxTimeout):
            await all_of_them()

    async def test_the_time_to_have_a_worker_is_none_of_the_job_s(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        worker_of, answer_of = sandbox._worker, module._answer
        time, had, ends = asyncio.get_running_loop().time, list[float](), list[float]()

        async def noted(modules: frozenset[str], *, network: bool = False) -> Worker:
            worker = await worker_of(modules, network=network)
            had.append(time())
            return worker

        async def kept(worker: Worker, job: dict[str, Any], ends_at: float) -> dict[str, Any]:
            ends.append(ends_at)
            return await answer_of(worker, job, ends_at)

        monkeypatch.setattr(sandbox, "_worker", noted)
        monkeypatch.setattr(module, "_answer", kept)
        await sandbox.run(f"{HOSTILE}:echo", b"abc", timeout_seconds=60)

        assert ends[0] >= had[0] + 60

    async def test_a_worker_that_dies_after_a_stage_is_not_tried_again(self, sandbox: Sandbox) -> None:
        stages = sandbox.stages(f"{HOSTILE}:one_stage_then_die", b"")
        await anext(stages)

        with pytest.raises(SandboxCrash):
            await anext(stages)

    async def test_memory_that_was_freed_is_used_again(self, sandbox: Sandbox) -> None:
        pages = 48 << 8

        assert await sandbox.run(f"{HOSTILE}:faults_of_repetition", b"") < pages

    async def test_memory_that_a_job_will_surely_take_is_there_before_it_begins(self, sandbox: Sandbox) -> None:
        target = f"{HOSTILE}:faults_of_a_first_use"

        assert await sandbox.run(target, b"") >= 32 << 8
        assert await sandbox.run(target, b"", memory_bytes_sure=48 << 20) < 32 << 4

    async def test_many_jobs_at_once_all_end(self, sandbox: Sandbox) -> None:
        answers = await asyncio.gather(*(sandbox.run(f"{HOSTILE}:echo", b"x" * size) for size in range(40)))

        assert [answer["size"] for answer in answers] == list(range(40))

    async def test_a_job_gets_a_worker_that_stood_ready_and_none_is_forked_beside_it(self) -> None:
        sandbox = Sandbox(SandboxSettings(workers_warm=2, reserve_pause_seconds=10))
        await sandbox.run(f"{HOSTILE}:own_pid", b"")
        ready = await asyncio.to_thread(eventually_now, lambda: reserve_of(sandbox, 2))

        pid = await sandbox.run(f"{HOSTILE}:own_pid", b"x" * 50_000)

        assert pid in ready
        assert {worker.pid for worker in workers_of(sandbox)} <= ready
        await sandbox.close()

    async def test_a_reserve_is_filled_up_after_the_job_that_took_from_it(self) -> None:
        sandbox = Sandbox(SandboxSettings(workers_warm=2, reserve_pause_seconds=0.01))
        await sandbox.run(f"{HOSTILE}:own_pid", b"")
        first = await asyncio.to_thread(eventually_now, lambda: reserve_of(sandbox, 2))
        pid = await sandbox.run(f"{HOSTILE}:own_pid", b"")

        then = await asyncio.to_thread(eventually_now, lambda: reserve_of(sandbox, 2) - {pid})

        assert len(first & then) == 1
        await sandbox.close()

    async def test_it_is_refused_while_a_unit_of_work_is_open(self, sandbox: Sandbox) -> None:
        with context.scope(unit_of_work=True), pytest.raises(context.SlowWorkInUnitOfWork):
            await sandbox.run(f"{HOSTILE}:echo", b"")

    async def test_what_a_job_took_of_memory_is_shown(self, sandbox: Sandbox) -> None:
        taken = METRICS.sandbox_job_memory_bytes.labels(f"{HOSTILE}:echo")
        before = taken._sum.get()
        await sandbox.run(f"{HOSTILE}:echo", b"x" * (20 << 20))

        # Some of it may be memory that the worker had before the job.
        assert 19 << 20 < taken._sum.get() - before < 64 << 20

    async def test_what_heavy_jobs_loaded_is_let_go_when_none_comes_and_loaded_again(self) -> None:
        sandbox = Sandbox(SandboxSettings(heavy_idle_seconds=0.1).heavy())
        first = await sandbox.run(f"{HOSTILE}:echo", b"abc")
        guardian = guardian_of(sandbox)
        await asyncio.to_thread(eventually_now, lambda: not guardian.children())

        assert await sandbox.run(f"{HOSTILE}:echo", b"abc") == first
        assert (sandbox.restarts, guardian_of(sandbox).pid) == (0, guardian.pid)
        await sandbox.close()


class TestHostile:
    async def test_whatever_a_parser_never_needs_is_refused(self, sandbox: Sandbox, tmp_path: Path) -> None:
        results = await sandbox.run(f"{HOSTILE}:attempt", b"", {"path": str(tmp_path / "written")})

        assert [name for name, result in results.items() if result == "done"] == []
        assert len(results) == 27
        assert os.listdir(tmp_path) == []

    async def test_who_speaks_with_the_world_gets_connections_and_nothing_else(
        self, sandbox: Sandbox, tmp_path: Path
    ) -> None:
        path = str(tmp_path / "written")
        results = await sandbox.run(f"{HOSTILE}:attempt_with_network", b"", {"path": path}, network=True)
        locked = await sandbox.run(f"{HOSTILE}:attempt", b"", {"path": path})

        assert {name for name, result in results.items() if result == "done"} == {"socket", "read_file"}
        assert "done" not in locked.values()

    async def test_an_endless_loop_ends_at_its_time(self, sandbox: Sandbox) -> None:
        with pytest.raises(SandboxTimeout, match=r"0\.3 seconds"):
            await sandbox.run(f"{HOSTILE}:loop", b"", timeout_seconds=0.3)

    async def test_the_deadline_of_the_context_is_kept(self, sandbox: Sandbox) -> None:
        with context.deadline_within(0.3), pytest.raises(SandboxTimeout):
            await sandbox.run(f"{HOSTILE}:loop", b"", timeout_seconds=60)

    async def test_the_deadline_ends_the_wait_for_a_place_as_well(self) -> None:
        sandbox = Sandbox(SandboxSettings(workers_max=1, workers_warm=0, start_timeout_seconds=60))
        stages = sandbox.stages(f"{HOSTILE}:one_stage_then_loop", b"", timeout_seconds=PATIENCE_SECONDS)
        await anext(stages)

        with context.deadline_within(0.1), pytest.raises(DeadlineExceeded):
            await asyncio.wait_for(sandbox.run(f"{HOSTILE}:echo", b"abc"), PATIENCE_SECONDS)

        await stages.aclose()
        assert (await sandbox.run(f"{HOSTILE}:echo", b"abc"))["size"] == 3
        await sandbox.close()

    @pytest.mark.parametrize("name", ["allocate", "allocate_slowly"])
    async def test_memory_has_an_end(self, sandbox: Sandbox, name: str) -> None:
        with pytest.raises(SandboxMemory):
            await sandbox.run(f"{HOSTILE}:{name}", b"")

    async def test_a_parser_that_aborts_without_memory_ran_out_of_it(self, sandbox: Sandbox) -> None:
        for payload in (b"", b"x" * (80 << 20)):
            with pytest.raises(SandboxMemory):
                await sandbox.run(f"{HOSTILE}:abort_without_memory", payload)
            with pytest.raises(SandboxCrash):
                await sandbox.run(f"{HOSTILE}:die", payload)

    @pytest.mark.parametrize("name", ["flood", "flood_the_channel"])
    async def test_output_has_an_end(self, sandbox: Sandbox, name: str) -> None:
        with pytest.raises(SandboxError) as refused:
            await sandbox.run(f"{HOSTILE}:{name}", b"", output_bytes_max=1 << 20, memory_bytes_max=512 << 20)

        assert isinstance(refused.value, SandboxOutput)

    @pytest.mark.parametrize("name", ["die", "leave", "lie"])
    async def test_a_worker_that_dies_is_a_crash(self, sandbox: Sandbox, name: str) -> None:
        with pytest.raises(SandboxCrash):
            await sandbox.run(f"{HOSTILE}:{name}", b"")

    @pytest.mark.parametrize(
        ("name", "error"), [("complain", "ValueError"), ("recurse", "RecursionError"), ("strange_answer", "TypeError")]
    )
    async def test_what_a_parser_says_is_never_repeated(
        self, sandbox: Sandbox, name: str, error: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SandboxRaised) as refused:
            await sandbox.run(f"{HOSTILE}:{name}", b"Anna Keller, CH93 0076")

        assert refused.value.details == {"error": error}
        assert "Keller" not in "".join(capfd.readouterr()) + str(refused.value)

    async def test_work_goes_on_after_each_attack(self, sandbox: Sandbox) -> None:
        for name in ("die", "leave", "allocate"):
            with pytest.raises(SandboxError):
                await sandbox.run(f"{HOSTILE}:{name}", b"")

        assert (await sandbox.run(f"{HOSTILE}:echo", b"abc"))["size"] == 3

    async def test_a_cancelled_job_leaves_no_process(self, own_sandbox: Sandbox) -> None:
        await own_sandbox.warm(HOSTILE)
        task = asyncio.ensure_future(own_sandbox.run(f"{HOSTILE}:loop", b"", timeout_seconds=60))
        await asyncio.to_thread(eventually_now, lambda: any(busy(child) for child in workers_of(own_sandbox)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await asyncio.to_thread(eventually_now, lambda: not any(busy(child) for child in workers_of(own_sandbox)))


class TestLoss:
    @pytest.mark.parametrize("lost", ["spawner", "guardian", "both"])
    async def test_a_killed_spawner_is_replaced(self, own_sandbox: Sandbox, lost: str) -> None:
        await own_sandbox.warm(HOSTILE)
        guardian = guardian_of(own_sandbox)
        (spawner,) = guardian.children()
        workers = list(workers_of(own_sandbox))
        for process in {"spawner": [spawner], "guardian": [guardian], "both": [guardian, spawner]}[lost]:
            process.kill()
        # A job that began in a worker before this one dies with its spawner would be lost with it: another test.
        await asyncio.to_thread(eventually_now, lambda: all(gone(one) for one in (spawner, *workers)))

        answer = await own_sandbox.run(f"{HOSTILE}:echo", b"abc")

        assert answer["size"] == 3

    async def test_a_reserve_that_died_unnoticed_costs_no_job(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sandbox = Sandbox(SandboxSettings(workers_warm=5, reserve_pause_seconds=10))
        await sandbox.run(f"{HOSTILE}:own_pid", b"")
        await asyncio.to_thread(eventually_now, lambda: reserve_of(sandbox, 5))
        workers = list(workers_of(sandbox))
        for worker in workers:
            worker.kill()
        await asyncio.to_thread(eventually_now, lambda: all(gone(worker) for worker in workers))
        monkeypatch.setattr(Worker, "alive", True)

        assert (await sandbox.run(f"{HOSTILE}:echo", b"abc"))["size"] == 3
        await sandbox.close()

    async def test_a_killed_warm_worker_is_not_given_a_job(self, own_sandbox: Sandbox) -> None:
        await own_sandbox.warm(HOSTILE)
        workers = list(workers_of(own_sandbox))
        for worker in workers:
            worker.kill()
        await asyncio.to_thread(eventually_now, lambda: all(gone(worker) for worker in workers))

        assert (await own_sandbox.run(f"{HOSTILE}:echo", b"abc"))["size"] == 3

    async def test_a_job_whose_spawner_is_lost_is_given_to_another_worker_once(self, own_sandbox: Sandbox) -> None:
        await own_sandbox.warm(HOSTILE)
        task = asyncio.ensure_future(own_sandbox.run(f"{HOSTILE}:loop", b"", timeout_seconds=60))
        killed: set[int] = set()

        def begun_anew() -> bool:
            return any(child.pid not in killed and busy(child) for child in workers_of(own_sandbox))

        for _ in range(2):
            await asyncio.to_thread(eventually_now, begun_anew)
            assert not task.done()
            killed |= {child.pid for child in workers_of(own_sandbox)}
            guardian_of(own_sandbox).children()[0].kill()

        with pytest.raises(SandboxCrash):
            await task
        assert (await own_sandbox.run(f"{HOSTILE}:echo", b"abc"))["size"] == 3

    async def test_where_no_spawner_can_be_started_each_job_says_so_at_once(
        self, own_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A service that gave up its privileges, and lost its guardian, cannot execute Python again."""
        await own_sandbox.run(f"{HOSTILE}:echo", b"abc")
        monkeypatch.setattr(sys, "executable", "/etc/hostname")
        workers = list(workers_of(own_sandbox))
        guardian_of(own_sandbox).kill()
        await asyncio.to_thread(eventually_now, lambda: all(gone(worker) for worker in workers))
        for _ in range(3):
            with pytest.raises(SandboxUnavailable):
                # Long before the time that a worker may take to start is over.
                async with asyncio.timeout(30):
                    await own_sandbox.run(f"{HOSTILE}:echo", b"abc")
        async with asyncio.timeout(30):
            await own_sandbox.lost()

        monkeypatch.undo()
        assert (await own_sandbox.run(f"{HOSTILE}:echo", b"abc"))["size"] == 3

    async def test_a_spawner_that_ends_at_once_is_not_started_for_ever(
        self, own_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(SandboxUnavailable):
            await own_sandbox.run(f"{HOSTILE}:echo", b"abc")

        assert own_sandbox.restarts <= 2

    async def test_a_module_that_is_not_there_is_said_and_harms_nothing(self, own_sandbox: Sandbox) -> None:
        for name in ("tests.kernel.sandbox.absent", "../../etc"):
            with pytest.raises(SandboxUnavailable):
                await own_sandbox.run(f"{name}:run", b"")

        assert (await own_sandbox.run(f"{HOSTILE}:echo", b"abc"))["size"] == 3

    async def test_nothing_is_left_when_the_service_dies(self) -> None:
        script = (
            "import asyncio, os\n"
            "from ecosystem.kernel.sandbox.sandbox import Sandbox\n"
            "async def main():\n"
            "    sandbox = Sandbox()\n"
            "    await sandbox.warm('json')\n"
            "    print('ready', flush=True)\n"
            "    await sandbox.run('tests.kernel.sandbox.hostile:loop', b'', timeout_seconds=60)\n"
            "asyncio.run(main())\n"
        )
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment()) as service:  # noqa: ASYNC220
            assert service.stdout is not None
            await asyncio.to_thread(service.stdout.readline)
            await asyncio.to_thread(
                eventually_now,
                lambda: any(busy(child) for child in psutil.Process(service.pid).children(recursive=True)),
            )
            below = psutil.Process(service.pid).children(recursive=True)
            service.kill()

        assert len(below) >= 3
        await asyncio.to_thread(
            eventually_now,
            lambda: all(gone(child) for child in below),
        )


ACCOUNTS = [None, (65534, 65534)] if os.geteuid() == 0 else [None]
"""Only root can start workers as another account."""


class TestPrefork:
    @pytest.mark.parametrize("account", ACCOUNTS)
    def test_a_spawner_forked_early_serves_and_survives_a_kill(self, account: tuple[int, int] | None) -> None:
        script = f"""
import asyncio, json, os, psutil
from ecosystem.kernel.sandbox import prefork
from ecosystem.kernel.sandbox.sandbox import Sandbox
prefork.start_spawner({account!r})
if {account!r}:
    os.setgid({account!r}[1]); os.setuid({account!r}[0])
async def main():
    sandbox = Sandbox()
    first = await sandbox.run("ecosystem.kernel.sandbox.echo:size", b"abc")
    (spawner,) = [spawner for guardian in psutil.Process().children() for spawner in guardian.children()]
    users = {{child.uids().real for child in spawner.children()}} | {{spawner.uids().real}}
    spawner.kill()
    second = await sandbox.run("ecosystem.kernel.sandbox.echo:size", b"abcd")
    await sandbox.close()
    print(json.dumps([first, second, sorted(users)]))
asyncio.run(main())
"""
        done = ran(script)
        assert done.returncode == 0, done.stderr.decode()

        first, second, users = json.loads(done.stdout)
        assert (first, second) == (3, 4)
        assert users == [account[0] if account else os.geteuid()]

    def test_each_sandbox_of_a_process_has_a_guardian_and_modules_of_its_own(self) -> None:
        script = """
import asyncio, json, psutil
from ecosystem.kernel.sandbox import prefork
from ecosystem.kernel.sandbox.sandbox import Sandbox
for _ in range(2):
    prefork.start_spawner(None)
async def main():
    light, heavy = Sandbox(), Sandbox()
    first = await light.run("ecosystem.kernel.sandbox.echo:size", b"abc")
    spawners = [child.children() for child in psutil.Process().children()]
    await heavy.run("tests.kernel.sandbox.hostile:remember", b"")
    after = [child.children() for child in psutil.Process().children()]
    known = [sorted(sandbox._spawning.known) for sandbox in (light, heavy)]
    await light.close()
    await heavy.close()
    print(json.dumps([first, sorted(map(len, spawners)), sorted(map(len, after)), known]))
asyncio.run(main())
"""
        done = ran(script)
        assert done.returncode == 0, done.stderr.decode()

        first, spawners, after, known = json.loads(done.stdout)
        # The second one's spawner starts with its first job.
        assert (first, spawners, after) == (3, [0, 1], [1, 1])
        assert known == [["ecosystem.kernel.sandbox.echo"], ["tests.kernel.sandbox.hostile"]]


def ran(script: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, env=environment(), timeout=PATIENCE_SECONDS, check=False)


def environment() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PATH": os.environ["PATH"]}


def guardian_of(sandbox: Sandbox) -> psutil.Process:
    process = sandbox._spawning._process
    assert process is not None
    return psutil.Process(process.pid)


def workers_of(sandbox: Sandbox) -> Iterator[psutil.Process]:
    for spawner in guardian_of(sandbox).children():
        with suppress(psutil.NoSuchProcess):
            yield from spawner.children()


def reserve_of(sandbox: Sandbox, size: int) -> set[int]:
    """The pids of the workers that stand ready; none until there are `size`."""
    pids = {worker.pid for worker in workers_of(sandbox) if not gone(worker)}
    return pids if len(pids) == size else set()


def gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def busy(process: psutil.Process) -> bool:
    try:
        return process.cpu_times().user > 0.05
    except psutil.NoSuchProcess:
        return False
