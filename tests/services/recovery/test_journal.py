"""Goal: what happens to processes becomes one episode each, told once. Method: the supervisor's own journal, read by
the service on a real database, by one replica or two."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ecosystem.fleet.journal import SUPERVISOR, Journal, What
from ecosystem.services.recovery.app import build
from ecosystem.services.recovery.watching.journal import JournalFile
from tests.services.recovery.conftest import LIFE, Watched

KILLED = "ended by SIGKILL (service failed: what it said last)"


class TestEpisode:
    async def test_a_death_and_its_repair_are_told_with_their_cause(self, watched: Watched) -> None:
        watched.happens("creditx-1", What.ENDED, reason=KILLED, restarts=1)
        watched.happens("creditx-1", What.STARTED)
        watched.happens("creditx-1", What.READY)
        await watched.follow()

        observed, repaired, cleared = watched.told()
        assert (observed["fault"], observed["component"], observed["instance"]) == (
            "instance_dead", "creditx-service", "creditx-1",
        )  # fmt: skip
        # What a process said before its end may quote anything: it stays out of the log.
        assert observed["cause"] == "ended by SIGKILL"
        assert (repaired["action"], repaired["outcome"], repaired["by"]) == ("restart", "done", "supervisor")
        assert (cleared["by_itself"], cleared["repaired_by"]) == (False, "restart by supervisor")
        assert {one["episode_id"] for one in (observed, repaired, cleared)} == {observed["episode_id"]}

    async def test_it_stays_open_until_the_process_is_ready(self, watched: Watched) -> None:
        watched.happens("creditx-1", What.ENDED, reason=KILLED)
        watched.happens("creditx-1", What.STARTED)
        await watched.follow()
        assert watched.story() == ["fault_observed"]

        watched.happens("creditx-1", What.ENDED, reason="exited with code 3")
        watched.happens("creditx-1", What.READY)
        await watched.follow()
        assert watched.story() == ["fault_observed", "failed", "done", "fault_cleared"]

    async def test_two_replicas_of_a_service_are_one_episode_that_waits_for_both(self, watched: Watched) -> None:
        for process in ("creditx-1", "creditx-2"):
            watched.happens(process, What.ENDED, reason=KILLED)
        watched.happens("creditx-2", What.READY)
        await watched.follow()
        assert watched.story() == ["fault_observed", "done"]

        watched.happens("creditx-1", What.READY)
        await watched.follow()
        assert watched.story() == ["fault_observed", "done", "done", "fault_cleared"]

    async def test_a_look_for_consequences_knows_their_causes(self, watched: Watched) -> None:
        watched.happens("postgresql", What.ENDED, reason=KILLED)
        await watched.look()

        assert [one["fault"] for one in watched.told("fault_observed")] == ["engine_dead"]

    async def test_the_same_fault_later_is_another_episode(self, watched: Watched) -> None:
        for _ in range(2):
            watched.happens("cache", What.ENDED, reason=KILLED)
            watched.happens("cache", What.READY)
        await watched.follow()

        ids = [one["episode_id"] for one in watched.told("fault_observed")]
        assert len(set(ids)) == 2
        assert [one["fault"] for one in watched.told("fault_observed")] == ["engine_dead", "engine_dead"]

    async def test_a_replica_that_is_taken_away_is_not_waited_for(self, watched: Watched) -> None:
        watched.happens("creditx-2", What.ENDED, reason=KILLED)
        watched.happens("creditx-2", What.STOPPED, planned=True)
        await watched.follow()

        assert watched.story() == ["fault_observed", "fault_cleared"]

    async def test_what_was_planned_is_no_fault(self, watched: Watched) -> None:
        for what in (What.STARTED, What.READY, What.ENDED, What.STOPPED):
            watched.happens("creditx-1", what, planned=True)
        await watched.follow()

        assert watched.story() == []

    async def test_a_frozen_process_is_told_as_that(self, watched: Watched) -> None:
        watched.happens("creditx-1", What.FROZEN, reason="did not answer for 10 s")
        await watched.follow()

        (observed,) = watched.told("fault_observed")
        assert (observed["fault"], observed["cause"]) == ("instance_frozen", "did not answer for 10 s")

    async def test_a_supervisor_that_nobody_stopped_is_told_until_we_are_back(self, watched: Watched) -> None:
        reason = "the supervisor before it ended without being asked to"
        watched.journal.write(SUPERVISOR, SUPERVISOR, What.STARTED, service=SUPERVISOR, planned=False, reason=reason)
        watched.happens("creditx-1", What.READY, planned=True)
        await watched.follow()
        assert watched.story() == ["fault_observed"]

        watched.happens("recovery-1", What.READY, planned=True)
        await watched.follow()
        assert watched.told("fault_observed")[0]["fault"] == "supervisor_restarted"
        assert watched.story() == ["fault_observed", "done", "fault_cleared"]


class TestSince:
    async def test_a_frozen_process_was_so_since_its_last_sign_of_life(self, watched: Watched) -> None:
        well_until = (watched.clock.now() - timedelta(seconds=12)).isoformat(timespec="milliseconds")
        watched.happens("creditx-1", What.FROZEN, reason="did not answer for 8 s", well_until=well_until)
        watched.happens("creditx-1", What.READY)
        await watched.follow()
        observed, _, cleared = watched.told()

        assert datetime.fromisoformat(observed["since"]) == datetime.fromisoformat(well_until)
        assert cleared["repair_seconds"] >= 12
        (episode,) = (await watched.get("/episodes"))["items"]
        told = (await watched.get(f"/episodes/{episode['episode_id']}"))["sentences"]
        assert told[0].endswith("The trouble began, as far as is known.")

    async def test_what_was_seen_at_once_has_no_other_beginning(self, watched: Watched) -> None:
        watched.happens("creditx-1", What.ENDED, reason=KILLED)
        await watched.follow()

        assert watched.told("fault_observed")[0]["since"] is None


class TestAttempts:
    async def test_they_are_those_of_the_supervisor_over_all_episodes(self, watched: Watched) -> None:
        for attempt in (1, 2, 3):
            counted = {"attempt": attempt, "left": 10 - attempt}
            watched.happens("creditx-1", What.ENDED, reason=KILLED, **counted)
            watched.happens("creditx-1", What.READY, **counted)
        await watched.follow()

        told = [(one["attempt"], one["budget_left"]) for one in watched.told("repair_recorded")]
        assert told == [(1, 9), (2, 8), (3, 7)]
        last = watched.told("repair_recorded")[-1]["episode_id"]
        story = (await watched.get(f"/episodes/{last}"))["sentences"]
        assert "restart (done, attempt 3, 7 left) by supervisor" in story[1]

    async def test_a_start_that_failed_counts_before_the_one_that_follows(self, watched: Watched) -> None:
        watched.happens("creditx-1", What.ENDED, reason=KILLED, attempt=1, left=9)
        watched.happens("creditx-1", What.ENDED, reason="exited with code 3", attempt=2, left=8)
        watched.happens("creditx-1", What.READY, attempt=2, left=8)
        await watched.follow()

        told = [(one["outcome"], one["attempt"], one["budget_left"]) for one in watched.told("repair_recorded")]
        assert told == [("failed", 1, 9), ("done", 2, 8)]

    async def test_an_engine_is_tried_without_end(self, watched: Watched) -> None:
        watched.happens("cache", What.ENDED, reason=KILLED, attempt=1)
        watched.happens("cache", What.READY, attempt=1)
        await watched.follow()

        assert watched.told("repair_recorded")[0]["budget_left"] is None


class TestCrashLoop:
    async def test_it_goes_on_as_one_episode_with_its_count(self, watched: Watched) -> None:
        """Held back at the third end; each end after that is the loop going on and no trouble of its own."""
        for attempt in (1, 2, 3, 4, 5):
            counted = {"attempt": attempt, "left": 10 - attempt}
            reason = "exited with code 3 (said; more)"
            watched.happens("creditx-1", What.ENDED, reason=reason, **counted)
            if attempt > 2:
                held = f"{reason}; ended {attempt} times within a minute, next try in 1 s"
                watched.happens("creditx-1", What.HELD_BACK, reason=held, **counted)
            watched.happens("creditx-1", What.READY, **counted)
            await watched.follow()

        seen = [(one["fault"], one["cause"]) for one in watched.told("fault_observed")]
        assert seen == [
            *[("instance_dead", "exited with code 3")] * 3,
            *[("crash_loop", f"exited with code 3; ended {times} times in a row") for times in (3, 4, 5)],
        ]
        loops = [one["episode_id"] for one in watched.told("fault_observed") if one["fault"] == "crash_loop"]
        assert len(set(loops)) == 1
        assert [one["attempt"] for one in watched.told("repair_recorded")] == [1, 2, 3, 4, 5]
        watched.clock.advance(60)
        await watched.look()
        over = watched.told("fault_cleared")[-1]
        assert (over["episode_id"], over["repaired_by"]) == (loops[0], "restart by supervisor")

    async def test_it_ends_with_calm_and_not_with_the_next_start(self, watched: Watched) -> None:
        watched.happens("creditx-1", What.ENDED, reason="exited with code 3")
        watched.happens("creditx-1", What.HELD_BACK, reason="exited with code 3; ended 3 times within a minute")
        watched.happens("creditx-1", What.READY)
        await watched.follow()
        await watched.look()
        assert [one["fault"] for one in watched.told("fault_observed")] == ["instance_dead", "crash_loop"]
        assert len(watched.told("fault_cleared")) == 1

        watched.clock.advance(35)
        await watched.look()
        assert len(watched.told("fault_cleared")) == 2

    @pytest.mark.parametrize("settings", [{"calm_seconds": 600}])
    async def test_nobody_is_called_while_it_only_waits_whether_it_stays_well(self, watched: Watched) -> None:
        watched.happens("creditx-1", What.HELD_BACK, reason="exited with code 3; ended 3 times within a minute")
        watched.happens("creditx-1", What.READY)
        await watched.follow()
        watched.clock.advance(120)
        await watched.look()
        assert watched.told("help_needed") == []

        watched.happens("creditx-1", What.HELD_BACK, reason="exited with code 3; ended 4 times within a minute")
        await watched.look()
        assert len(watched.told("help_needed")) == 1

    async def test_one_that_is_stopped_calls_for_help_once_with_its_last_lines(self, watched: Watched) -> None:
        for _ in range(2):
            watched.happens(
                "creditx-1", What.STOPPED, lines=("no room",),
                reason="exited with code 3 (no room); stopped: 10 lives in a row ended within 15 s",
            )  # fmt: skip
        await watched.follow()
        watched.clock.advance(120)
        await watched.look()

        (needed,) = watched.told("help_needed")
        assert needed["reason"] == "stopped: 10 lives in a row ended within 15 s"
        assert {(one["outcome"], one["budget_left"], one["reason"]) for one in watched.told("repair_recorded")} == {
            ("failed", 0, needed["reason"])
        }
        assert needed["detail"] == {"instance": "creditx-1", "last_lines": ["no room"]}


class TestHelp:
    async def test_a_fault_that_lasts_calls_a_person_once(self, watched: Watched) -> None:
        watched.happens("creditx-1", What.ENDED, reason=KILLED)
        await watched.follow()
        await watched.look()
        assert watched.told("help_needed") == []

        for _ in range(3):
            watched.clock.advance(61)
            await watched.look()
        (needed,) = watched.told("help_needed")
        assert "instance_dead of creditx-service lasts for 61 s: ended by SIGKILL" in needed["reason"]


class TestOnce:
    async def test_two_replicas_tell_nothing_twice(self, watched: Watched) -> None:
        other = await watched.harness.service(build, "recovery-agent", "recovery")
        for process in ("creditx-1", "cache", "creditx-2"):
            watched.happens(process, What.ENDED, reason=KILLED)
            watched.happens(process, What.READY)
        for agent in (other, watched.agent, other):
            await agent.job("follow-journal")

        assert len(watched.told("fault_observed")) == len(watched.told("fault_cleared")) == 3

    async def test_a_new_replica_goes_on_where_the_former_was(self, watched: Watched) -> None:
        watched.happens("creditx-1", What.ENDED, reason=KILLED)
        await watched.follow()
        heir = await watched.harness.service(build, "recovery-agent", "recovery")
        watched.happens("creditx-1", What.READY)
        await heir.job("follow-journal")

        assert watched.story() == ["fault_observed", "done", "fault_cleared"]


class TestFile:
    def test_lines_are_found_over_a_turn_over(self, tmp_path: Path) -> None:
        file = tmp_path / "journal.jsonl"
        journal, reader = Journal(file, 1200, LIFE), JournalFile(file)
        journal.write("cache", "engine", What.READY)
        assert reader.has_news
        reader.done(reader.mark)
        for _ in range(6):
            journal.write("cache", "engine", What.ENDED, planned=False)

        assert (tmp_path / "journal.jsonl.1").exists()
        assert reader.has_news
        assert [line.sequence for line in reader.after(LIFE, 1)] == [2, 3, 4, 5, 6, 7]

    def test_a_half_written_line_is_read_when_it_is_whole(self, tmp_path: Path) -> None:
        file = tmp_path / "journal.jsonl"
        Journal(file, 10**6, LIFE).write("cache", "engine", What.READY)
        whole = file.read_bytes()
        file.write_bytes(whole + whole[:40])

        assert [line.sequence for line in JournalFile(file).after("", 0)] == [1]

    def test_no_journal_has_no_news(self, tmp_path: Path) -> None:
        for file in (None, tmp_path / "absent"):
            assert not JournalFile(file).has_news
            assert JournalFile(file).after("", 0) == []
