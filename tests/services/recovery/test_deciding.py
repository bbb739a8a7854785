"""Goal: a person sees what was done, decides what is proposed, and can stop it all. Method: the routes, on a real
database."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from ecosystem.contracts.authn import ROLES
from ecosystem.contracts.objects import ObjectDamageFound, ObjectRestored
from ecosystem.contracts.recovery import ClassifyError, EpisodeExplained, ErrorClassified, ExplainEpisode, FaultKind
from ecosystem.fleet.journal import What
from ecosystem.kernel import context
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.messaging.event import Event
from ecosystem.services.recovery.watching import objects
from tests.services.recovery.conftest import ROUTE, Watched

READER = Principal("reader", None, frozenset({"platform:read"}))
ANALYST = Principal("analyst", None, frozenset({"documents:read"}))


def a_death(watched: Watched) -> None:
    watched.happens("creditx-1", What.ENDED, reason="ended by SIGKILL")
    watched.happens("creditx-1", What.READY)


class TestStatus:
    async def test_every_kind_with_its_mode_and_budget(self, watched: Watched) -> None:
        kinds = {one["fault"]: one for one in (await watched.get())["kinds"]}

        assert kinds.keys() == {str(kind) for kind in FaultKind}
        assert kinds["horizon_held"]["repair"] == "end_session"
        assert (kinds["horizon_held"]["budget_left"], kinds["horizon_held"]["mode"]) == (3, "act")
        assert kinds["poisoned_event"]["mode"] == "propose"

    async def test_the_story_of_an_episode_in_plain_sentences(self, watched: Watched) -> None:
        a_death(watched)
        await watched.follow()
        (episode,) = (await watched.get("/episodes"))["items"]
        story = await watched.get(f"/episodes/{episode['episode_id']}")

        assert "instance_dead of creditx-service was seen: ended by SIGKILL." in story["sentences"][0]
        assert "restart (done, attempt 1) by supervisor" in story["sentences"][1]
        assert "It was over after" in story["sentences"][2]
        assert (await watched.get("/episodes?only_open=true"))["items"] == []

    async def test_actions_come_in_pages(self, watched: Watched) -> None:
        for _ in range(3):
            a_death(watched)
        await watched.follow()
        first = await watched.get("/actions?limit=2")
        rest = await watched.get(f"/actions?limit=2&cursor={first['next_cursor']}")

        assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (2, 1, None)
        assert {one["reason"] for one in first["items"]} == {"creditx-1 is ready again after: ended by SIGKILL"}


class TestReasons:
    @pytest.mark.parametrize("path", ["/pause", "/resume"])
    async def test_what_hides_in_a_reason_is_left_out(self, watched: Watched, path: str) -> None:
        kept = await watched.post(path, fault="stuck_run", reason="a\x1b[2J\u202eb\r\nc\u200b")

        assert kept["reason"] == "a [2J b c"
        assert watched.platform.rows("select reason from recovery.actions") == [("a [2J b c",)]

    async def test_one_that_is_too_long_is_refused_by_name(self, watched: Watched) -> None:
        refused = await watched.agent.client(WRITER).post(f"{ROUTE}/pause", json={"reason": "x" * 201})

        assert refused.status_code == 422
        assert "reason: String should have at most 200 characters" in refused.text
        assert (await watched.get("/actions"))["items"] == []


class TestSwitching:
    async def test_a_pause_is_undone(self, watched: Watched) -> None:
        paused = await watched.post("/pause", fault="stuck_run", reason="we look ourselves")
        assert await self.mode(watched, "stuck_run") == "paused"

        await watched.post(f"/actions/{paused['action_id']}/undo")
        assert await self.mode(watched, "stuck_run") == "act"
        outcomes = [(one["action"], one["outcome"]) for one in (await watched.get("/actions"))["items"]]
        assert sorted(outcomes) == [("pause", "undone"), ("resume", "done")]

    async def test_a_pause_of_what_was_paused_is_not_undone(self, watched: Watched) -> None:
        await watched.post("/pause", fault="stuck_run", reason="")
        again = await watched.post("/pause", fault="stuck_run", reason="")
        refused = await watched.agent.client(WRITER).post(f"{ROUTE}/actions/{again['action_id']}/undo")

        assert (refused.status_code, refused.json()["code"]) == (409, "cannot_be_undone")
        assert await self.mode(watched, "stuck_run") == "paused"

    async def test_what_others_repair_is_not_paused_by_its_kind(self, watched: Watched) -> None:
        refused = await watched.agent.client(WRITER).post(f"{ROUTE}/pause", json={"fault": "instance_dead"})

        assert (refused.status_code, refused.json()["code"]) == (409, "pause_useless")
        assert "repaired by supervisor" in refused.json()["detail"]
        assert (await watched.get("/actions"))["items"] == []

    async def test_everything_can_be_paused_and_resumed(self, watched: Watched) -> None:
        await watched.post("/pause", reason="")
        assert {one["mode"] for one in (await watched.get())["kinds"]} == {"paused"}

        await watched.post("/resume", reason="")
        assert await self.mode(watched, "stuck_run") == "act"

    async def test_each_decision_is_in_the_audit_trail(self, watched: Watched) -> None:
        await watched.post("/pause", fault="stuck_run", reason="")

        (recorded,) = watched.told("audit_recorded")
        assert (recorded["action"], recorded["target"]) == ("repairs_paused", "stuck_run")
        assert (recorded["before"], recorded["after"]) == ({"mode": None}, {"mode": "paused"})

    async def test_a_repair_is_not_undone(self, watched: Watched) -> None:
        a_death(watched)
        await watched.follow()
        (action,) = (await watched.get("/actions"))["items"]
        refused = await watched.agent.client(WRITER).post(f"{ROUTE}/actions/{action['action_id']}/undo")

        assert (refused.status_code, refused.json()["code"]) == (409, "cannot_be_undone")
        assert "another stands in its place" in refused.json()["detail"]
        assert "eco restart SERVICE" in refused.json()["next_step"]

    async def mode(self, watched: Watched, fault: str) -> str:
        return next(str(one["mode"]) for one in (await watched.get())["kinds"] if one["fault"] == fault)


WRITER = Principal("writer", None, frozenset({"platform:read", "platform:write"}))
# An administrator of the platform may ask for a token that is narrowed to a company.
NARROWED = replace(WRITER, company_id=UUID(int=0xA1))


class TestWhose:
    async def test_what_is_decided_with_a_companys_token_stays_the_platforms(self, watched: Watched) -> None:
        watched.happens("creditx-1", What.HELD_BACK, reason="ended by SIGKILL")
        await watched.follow()
        (episode,) = (await watched.get("/episodes"))["items"]
        client = watched.agent.client(NARROWED)
        cleared = await client.post(f"{ROUTE}/episodes/{episode['episode_id']}/clear", json={"reason": "looks well"})
        undone = await client.post(f"{ROUTE}/actions/{cleared.json()['action_id']}/undo")
        paused = await client.post(f"{ROUTE}/pause", json={"fault": "stuck_run", "reason": ""})

        assert [one.status_code for one in (cleared, undone, paused)] == [200, 200, 200]
        events = watched.harness.events()
        assert [data["action"] for kind, _, _, data in events if kind == "audit_recorded"] == [
            "fault_cleared", "fault_reopened", "repairs_paused"
        ]  # fmt: skip
        assert {company for _, _, company, _ in events} == {None}

    @pytest.mark.parametrize("verb", ["approve", "refuse", "undo"])
    async def test_no_role_of_a_company_decides(self, watched: Watched, verb: str) -> None:
        scopes = frozenset().union(*(ROLES[role] for role in ROLES if role != "platform-administrator"))
        administrator = watched.agent.client(Principal("amy", UUID(int=0xA1), scopes))
        refused = await administrator.post(f"{ROUTE}/actions/{UUID(int=1)}/{verb}", json={})

        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")


class TestClearing:
    async def test_a_damaged_object_is_flagged_until_a_person_says_that_it_was_restored(self, watched: Watched) -> None:
        kernel = watched.agent.kernel
        for digest in ("ab" * 32, "cd" * 32):
            with context.scope(company_id=UUID(int=0xA1)):
                damage = ObjectDamageFound(object_digest=digest, code="object_damaged")
                await kernel.database.run(lambda damage=damage: kernel.outbox.add(damage))  # type: ignore[misc]
        await watched.harness.settle()
        await watched.look()
        assert watched.story() == ["fault_observed"]
        watched.clock.advance(60)
        await watched.look()
        (episode,) = (await watched.get("/episodes"))["items"]
        assert (episode["fault"], episode["detail"]) == ("object_corrupt", {"object_digest": "ab" * 32})
        assert watched.story() == ["fault_observed", "help_needed"]
        assert "no other copy is kept here: restore it from a backup" in watched.told("help_needed")[0]["reason"]

        path = f"/episodes/{episode['episode_id']}/clear"
        await watched.post(path, reason="restored from the backup")
        assert watched.story()[2:] == ["done", "fault_cleared"]
        assert not watched.told("fault_cleared")[0]["by_itself"]
        twice = await watched.agent.client(WRITER).post(ROUTE + path, json={})
        assert (twice.status_code, twice.json()["code"]) == (409, "episode_over")

    async def test_what_was_declared_over_goes_on_when_that_is_undone(self, watched: Watched) -> None:
        watched.happens("creditx-1", What.HELD_BACK, reason="ended by SIGKILL")
        await watched.follow()
        (episode,) = (await watched.get("/episodes"))["items"]
        cleared = await watched.post(f"/episodes/{episode['episode_id']}/clear", reason="looks well")
        undone = await watched.post(f"/actions/{cleared['action_id']}/undo")
        twice = await watched.agent.client(WRITER).post(f"{ROUTE}/actions/{cleared['action_id']}/undo")

        assert undone["outcome"] == "undone"
        assert (twice.status_code, twice.json()["detail"]) == (409, "It is undone already.")
        (open_one,) = (await watched.get("/episodes?only_open=true"))["items"]
        assert open_one["episode_id"] == episode["episode_id"]
        assert watched.story() == ["fault_observed", "done", "fault_cleared", "undone", "fault_observed"]
        await watched.post(f"/episodes/{episode['episode_id']}/clear", reason="now it is")
        assert len(watched.told("fault_cleared")) == 2
        assert [one["action"] for one in watched.told("audit_recorded")] == [
            "fault_cleared", "fault_reopened", "fault_cleared"
        ]  # fmt: skip

    async def test_it_stays_over_when_the_same_fault_is_another_episode_by_now(self, watched: Watched) -> None:
        watched.happens("creditx-1", What.HELD_BACK, reason="ended by SIGKILL")
        await watched.follow()
        (episode,) = (await watched.get("/episodes"))["items"]
        cleared = await watched.post(f"/episodes/{episode['episode_id']}/clear", reason="")
        watched.happens("creditx-1", What.HELD_BACK, reason="ended by SIGKILL")
        await watched.follow()
        refused = await watched.agent.client(WRITER).post(f"{ROUTE}/actions/{cleared['action_id']}/undo")

        assert (refused.status_code, refused.json()["code"]) == (409, "cannot_be_undone")
        assert "another episode" in refused.json()["detail"]


class TestClockJumps:
    """Who sets the clock, forwards or back, neither calls a person too early nor keeps one from being called."""

    @pytest.mark.parametrize("jump_seconds", [-7200, 7200])
    async def test_help_is_called_after_the_time_that_really_went_by(
        self, watched: Watched, jump_seconds: float
    ) -> None:
        watched.happens("creditx-1", What.ENDED, reason="ended by SIGKILL")
        await watched.look()
        watched.clock.jump(jump_seconds)
        watched.clock.advance(30)
        await watched.look()
        assert "help_needed" not in watched.story()

        watched.clock.advance(31)
        await watched.look()
        assert watched.story()[-1] == "help_needed"

    async def test_a_clock_that_goes_back_gives_no_repair_beyond_the_budget(self, watched: Watched) -> None:
        watched.platform.rows(
            "insert into recovery.actions (action_id, fault, component, action, attempt, outcome, reason, by, at)"
            " select gen_random_uuid(), 'horizon_held', 'postgresql', 'end_session', 1, 'done', '-', 'recovery-agent',"
            " now() from generate_series(1, 3)"
        )
        watched.clock.jump(-7200)
        kinds = {one["fault"]: one for one in (await watched.get())["kinds"]}

        assert kinds["horizon_held"]["budget_left"] == 0


class TestRestoring:
    async def tell(self, watched: Watched, *facts: Event) -> None:
        kernel = watched.agent.kernel
        for fact in facts:
            with context.scope(company_id=UUID(int=0xA1)):
                await kernel.database.run(lambda fact=fact: kernel.outbox.add(fact))  # type: ignore[misc]
        await watched.harness.settle()

    async def test_what_its_owners_restored_calls_nobody_and_is_over_with_the_last_one(self, watched: Watched) -> None:
        digests = ["ab" * 32, "cd" * 32]
        await self.tell(watched, *(ObjectDamageFound(object_digest=one, code="object_damaged") for one in digests))
        await self.tell(watched, ObjectRestored(object_digest=digests[0], source="event_log"))
        assert watched.story() == ["fault_observed", "done"]

        await self.tell(watched, ObjectRestored(object_digest=digests[1], source="event_log"))
        watched.clock.advance(600)
        await watched.look()
        assert watched.story() == ["fault_observed", "done", "done", "fault_cleared"]
        first = watched.told("repair_recorded")[0]
        assert (first["action"], first["reason"]) == ("restore", "object abababababab was restored from event_log")
        assert not watched.told("fault_cleared")[0]["by_itself"]

    async def test_more_than_can_be_named_need_a_person(
        self, watched: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(objects, "NAMED_MAX", 2)
        digests = [f"{number:02x}" * 32 for number in range(4)]
        await self.tell(watched, *(ObjectDamageFound(object_digest=one, code="object_damaged") for one in digests))
        await self.tell(watched, *(ObjectRestored(object_digest=one, source="event_log") for one in digests))

        assert watched.platform.rows("select waiting, cleared_at from recovery.episodes") == [(["more"], None)]


NOBODY = UUID(int=1)


class TestRefusals:
    READINGS = ("", "/episodes", f"/episodes/{NOBODY}", "/actions")
    WRITINGS = (
        "/pause", "/resume", f"/episodes/{NOBODY}/clear", f"/actions/{NOBODY}/approve",
        f"/actions/{NOBODY}/refuse", f"/actions/{NOBODY}/undo",
    )  # fmt: skip

    @pytest.mark.parametrize("path", READINGS)
    async def test_reading_needs_a_token_and_the_scope(self, watched: Watched, path: str) -> None:
        assert (await watched.agent.client().get(ROUTE + path)).status_code == 401
        refused = await watched.agent.client(ANALYST).get(ROUTE + path)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")

    @pytest.mark.parametrize("path", WRITINGS)
    async def test_deciding_needs_more_than_reading(self, watched: Watched, path: str) -> None:
        refused = await watched.agent.client(READER).post(ROUTE + path, json={})
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")

    @pytest.mark.parametrize("verb", ["approve", "refuse", "undo"])
    async def test_what_is_not_there_is_not_found(self, watched: Watched, verb: str) -> None:
        refused = await watched.agent.client(WRITER).post(f"{ROUTE}/actions/{uuid4()}/{verb}", json={})
        assert (refused.status_code, refused.json()["code"]) == (404, "action_unknown")


class TestAgent:
    async def ask(self, watched: Watched, task: Any) -> Any:
        return await watched.harness.call(task, to="recovery-agent", sender="orchestrator-agent", company_id=None)

    @pytest.mark.parametrize(
        ("error", "attempt", "kind", "escalate"),
        [
            ("database_unavailable", 1, "transient", False), ("scope_missing", 1, "permanent", True),
            ("pydantic.ValidationError", 1, "permanent", True),
            ("redis.exceptions.TimeoutError", 4, "transient", False),
            ("lib.Surprise", 2, "unknown", False), ("lib.Surprise", 3, "unknown", True),
        ],
    )  # fmt: skip
    async def test_it_classifies(self, watched: Watched, error: str, attempt: int, kind: str, escalate: bool) -> None:
        answer = await self.ask(watched, ClassifyError(error=error, attempt=attempt))

        assert isinstance(answer, ErrorClassified)
        assert (answer.kind, answer.escalate) == (kind, escalate)

    async def test_it_explains(self, watched: Watched) -> None:
        a_death(watched)
        await watched.follow()
        episode_id = UUID(watched.told("fault_observed")[0]["episode_id"])
        answer = await self.ask(watched, ExplainEpisode(episode_id=episode_id))

        assert isinstance(answer, EpisodeExplained)
        assert (answer.open, len(answer.sentences)) == (False, 3)
