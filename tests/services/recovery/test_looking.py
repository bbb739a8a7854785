"""Goal: each fault is seen, named, repaired within its budget, and cleared when the world says so. Method: the faults
themselves, made on a real server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from ecosystem.fleet.journal import What
from ecosystem.kernel import context
from ecosystem.kernel.durable.durable import Durable
from ecosystem.kernel.errors import Unavailable
from ecosystem.services.recovery.adapters import CacheWatch, Disk, Leaves
from ecosystem.services.recovery.settings import ServiceSettings
from ecosystem.services.recovery.watching.database import named
from tests.services.recovery.conftest import Watched
from tests.support.poll import eventually, eventually_now

COMPANY = UUID(int=0xA1)


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"horizon_seconds_max": 0.1, **getattr(request, "param", {})}


@contextmanager
def writing(watched: Watched, role: str = "eco_events", application: str = "night report") -> Iterator[Any]:
    """A session that writes and does not end; none as role: the administrator's. At the end the server knows."""
    url = watched.platform.url(role) if role else watched.platform.admin_url
    session = psycopg.connect(url, application_name=application)
    pid, still_there = session.info.backend_pid, "select 1 from pg_stat_activity where pid = %s"
    try:
        session.execute("select pg_current_xact_id()")
        yield session
    finally:
        session.close()
        eventually_now(lambda: not watched.platform.rows(still_there, pid))


def is_ended(session: Any) -> bool:
    try:
        session.execute("select 1")
    except psycopg.OperationalError:
        return True
    return False


async def seen(watched: Watched, kind: str) -> dict[str, Any]:
    """What is told of the first fault of this kind, when it has been seen."""

    async def look() -> dict[str, Any] | None:
        await watched.look()
        return next((one for one in watched.told("fault_observed") if one["fault"] == kind), None)

    found = await eventually(look)
    assert found is not None
    return found


class TestHorizon:
    async def test_the_session_is_named_and_its_end_is_only_proposed(self, watched: Watched) -> None:
        with writing(watched, application="ny <b>report</b>") as session:
            observed = await seen(watched, "horizon_held")
            for _ in range(2):
                await watched.look()

            assert observed["component"] == "postgresql"
            assert observed["detail"]["sessions"][0]["pid"] == session.info.backend_pid
            assert f"session {session.info.backend_pid} (ny ?b?report?/b?, eco_events)" in observed["cause"]
            assert [one["outcome"] for one in watched.told("repair_recorded")] == ["proposed"]
            assert not is_ended(session)

        await watched.look()
        assert watched.story()[-2:] == ["refused", "fault_cleared"]
        assert watched.told("repair_recorded")[-1]["reason"] == "the fault was over before anybody decided"

    async def test_approving_ends_it_once(self, watched: Watched) -> None:
        with writing(watched) as session:
            await seen(watched, "horizon_held")
            (action,) = (await watched.get())["proposed"]
            done = await watched.post(f"/actions/{action['action_id']}/approve")
            assert (done["outcome"], done["decided_by"]) == ("done", "operator")
            assert is_ended(session)

        await watched.look()
        assert watched.story() == ["fault_observed", "proposed", "approved", "done", "fault_cleared"]
        assert not watched.told("fault_cleared")[0]["by_itself"]

    @pytest.mark.parametrize("settings", [{"horizon_end_sessions": True}], indirect=True)
    async def test_where_it_is_allowed_it_is_ended_at_once(self, watched: Watched) -> None:
        with writing(watched) as session:
            await seen(watched, "horizon_held")
            pid = session.info.backend_pid
            assert is_ended(session)

        await watched.look()
        assert watched.story() == ["fault_observed", "done", "fault_cleared"]
        (repaired,) = watched.told("repair_recorded")
        assert (repaired["action"], repaired["by"], repaired["budget_left"]) == ("end_session", "recovery-agent", 2)
        assert f"ended session {pid}" in repaired["reason"]

    @pytest.mark.parametrize("settings", [{"horizon_end_sessions": True}], indirect=True)
    async def test_what_cannot_be_ended_calls_a_person_after_three_attempts(self, watched: Watched) -> None:
        with writing(watched, role=""):
            await seen(watched, "horizon_held")
            for _ in range(5):
                await watched.look()

        assert watched.story() == ["fault_observed", "failed", "failed", "failed", "help_needed"]
        assert "an administrator must" in watched.told("repair_recorded")[0]["reason"]

    @pytest.mark.parametrize(
        "settings", [{"horizon_end_sessions": True, "repairs_per_hour_max": {"horizon_held": 1}}], indirect=True
    )
    async def test_beyond_its_budget_nothing_is_done_and_a_person_is_called(self, watched: Watched) -> None:
        with writing(watched) as session:
            await seen(watched, "horizon_held")
            assert is_ended(session)
        await watched.look()
        with writing(watched) as second:
            await eventually(lambda: _has_help(watched))
            assert not is_ended(second)

        assert "its budget of 1 repair of horizon_held an hour is spent" in watched.told("help_needed")[0]["reason"]

    def test_an_application_may_call_itself_anything(self) -> None:
        assert named("") == "unnamed"
        assert named("amy@example.org\n" + "x" * 100) == "amy?example.org?" + "x" * 24


async def _has_help(watched: Watched) -> bool:
    await watched.look()
    return bool(watched.told("help_needed"))


class TestWhatCannotBeWrittenDown:
    async def test_it_is_told_as_soon_as_it_can_be_though_it_is_over(self, watched: Watched) -> None:
        with psycopg.connect(watched.platform.admin_url, autocommit=True) as admin:
            admin.execute("revoke insert on recovery.episodes from eco_recovery")
            with writing(watched):
                await eventually(lambda: _could_not_write(watched))
            admin.execute("grant insert on recovery.episodes to eco_recovery")
        await watched.look()
        await watched.look()

        assert watched.story()[0] == "fault_observed"
        assert watched.story()[-1] == "fault_cleared"
        assert watched.told("fault_observed")[0]["fault"] == "horizon_held"


async def _could_not_write(watched: Watched) -> bool:
    try:
        await watched.look()
    except Exception:
        return True
    return False


class TestStuckRuns:
    async def start(self, watched: Watched) -> UUID:
        """A run that a worker has had for an hour without a step."""
        rows, kernel = watched.platform.rows, watched.agent.kernel
        durable = Durable(kernel.database)
        with context.scope(company_id=COMPANY):
            task_id = await kernel.database.run(lambda: durable.start("orchestrator", "look", {}))
        rows("select absurd.claim_task('orchestrator', 'worker-1', 30, 1)")
        rows(
            "update absurd.r_orchestrator set started_at = now() - interval '1 hour', created_at = now() -"
            " interval '1 hour'"
        )
        return task_id

    async def test_it_is_taken_from_its_worker(self, watched: Watched) -> None:
        task_id = await self.start(watched)
        observed = await seen(watched, "stuck_run")

        assert observed["detail"]["runs"][0]["task_id"] == str(task_id)
        assert observed["companies"] == [str(COMPANY)]
        assert watched.platform.rows("select claimed_by from absurd.r_orchestrator") == [("taken by recovery-agent",)]
        assert [one["outcome"] for one in watched.told("repair_recorded")] == ["done"]

    async def test_one_that_takes_steps_is_left_alone(self, watched: Watched) -> None:
        await self.start(watched)
        watched.platform.rows("select absurd.set_task_checkpoint_state('orchestrator', task_id, 'one', '1', run_id)"
                              " from absurd.r_orchestrator")  # fmt: skip
        await watched.look()

        assert watched.told("fault_observed") == []

    async def test_one_that_nobody_takes_is_told_and_needs_a_person(self, watched: Watched) -> None:
        await self.start(watched)
        watched.platform.rows(
            "update absurd.r_orchestrator set state = 'pending', available_at = now() - interval '1 hour'"
        )
        await watched.look()

        assert "with a worker: 0" in watched.told("fault_observed")[0]["cause"]
        assert [one["outcome"] for one in watched.told("repair_recorded")] == ["failed"]


class TestServices:
    INSTANCE = (
        "insert into kernel.instances (instance_id, service, role, host, http_port, grpc_port, plain_port, pid,"
        " version, state, started_at) values (gen_random_uuid(), 'creditx-service', 'eco_creditx', '127.0.0.1', 1, 2,"
        " 3, 4, '1',"
        " '{}', now())"
    )

    async def test_a_service_of_which_nobody_is_ready_is_told_at_the_second_look(self, watched: Watched) -> None:
        watched.platform.rows(self.INSTANCE.format("unready"))
        await watched.look()
        assert watched.story() == []
        await watched.look()
        (observed,) = watched.told("fault_observed")
        assert (observed["fault"], observed["component"]) == ("agent_unreachable", "creditx-service")
        assert observed["cause"] == "no instance is ready; the newest is unready"

        watched.platform.rows(self.INSTANCE.format("ready"))
        await watched.look()
        assert watched.story() == ["fault_observed", "fault_cleared"]

    async def test_one_that_is_silent_is_told_and_one_that_left_is_not(self, watched: Watched) -> None:
        watched.platform.rows(self.INSTANCE.format("ready"))
        watched.platform.rows("update kernel.instances set beat_at = now() - interval '1 minute'")
        for _ in range(2):
            await watched.look()
        assert [one["cause"] for one in watched.told("fault_observed")] == [
            "no instance is ready; the newest is silent"
        ]

        watched.platform.rows("delete from kernel.instances")
        await watched.look()
        assert watched.story() == ["fault_observed", "fault_cleared"]

    async def test_what_follows_from_a_death_is_no_fault_of_its_own(self, watched: Watched) -> None:
        watched.happens("creditx-1", What.ENDED, reason="ended by SIGKILL")
        await watched.follow()
        watched.platform.rows(self.INSTANCE.format("unready"))
        for _ in range(3):
            await watched.look()

        assert [one["fault"] for one in watched.told("fault_observed")] == ["instance_dead"]


class TestRights:
    """What recovery-agent may do is refused to every other service."""

    @pytest.mark.parametrize(
        "call",
        [
            "kernel.horizon_holders(0)", "kernel.end_session(1, now(), 0)", "kernel.connections_used()",
            "kernel.stuck_tasks('orchestrator', 0)", "kernel.take_from_worker('orchestrator', gen_random_uuid(), 0)",
            "kernel.consumer_states()",
        ],
    )  # fmt: skip
    async def test_another_role_is_refused(self, watched: Watched, call: str) -> None:
        url = watched.platform.url("eco_creditx")
        with psycopg.connect(url) as other, pytest.raises(psycopg.errors.InsufficientPrivilege):
            other.execute(f"select * from {call}")


class TestMachine:
    async def test_a_disk_that_fills_up_is_told_until_there_is_room(self, watched: Watched, tmp_path: Path) -> None:
        full = Disk(tmp_path, watched.clock, 2**50)
        (sighting,) = await full.look()

        assert (sighting.fault, sighting.component) == ("disk_full", "disk")
        assert "MiB are free" in sighting.cause
        assert await Disk(tmp_path, watched.clock, 1).look() == []
        assert await Disk(None, watched.clock, 1).look() == []

    async def test_certificates_that_end_or_are_revoked_are_told(self, watched: Watched, tmp_path: Path) -> None:
        identity = watched.agent.kernel.identity
        leaves = Leaves(tmp_path, identity.is_revoked, watched.clock, ServiceSettings().certificate_life_share_min)
        assert await leaves.look() == []

        watched.clock.advance(55 * 60)
        assert [(one.fault, one.component) for one in await leaves.look()] == [
            ("certificate_expiring", "recovery-agent")
        ]
        revoked = Leaves(tmp_path, lambda _: True, watched.clock, 0.01)
        assert [one.fault for one in await revoked.look()] == ["certificate_revoked"]

    async def test_a_cache_that_is_silent_twice_is_lost(self, watched: Watched) -> None:
        class Silent:
            client = object()

            async def ping(self) -> None:
                raise Unavailable

        watch = CacheWatch(Silent(), watched.clock)  # type: ignore[arg-type]

        assert [[one.cause for one in await watch.look()] for _ in range(2)] == [[], ["it does not answer"]]

    async def test_another_cache_under_the_same_address_is_empty(self, watched: Watched) -> None:
        class Cache:
            def __init__(self) -> None:
                self.life, self.client = "one", self

            async def ping(self) -> None:
                return

            async def info(self, _: str) -> dict[str, str]:
                return {"run_id": self.life}

        cache = Cache()
        watch = CacheWatch(cache, watched.clock)  # type: ignore[arg-type]
        first, well_at = await watch.look(), watched.clock.now()
        watched.clock.advance(5)
        cache.life = "two"
        (lost,) = await watch.look()

        assert (first, lost.cause, lost.since) == ([], "it started anew, empty", well_at)
        assert await watch.look() == []
