"""Goal: the summary says what clients saw and whether promises held. Method: records written by hand."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from faults.checker import Findings
from faults.delivering import MESSAGE_VERDICTS
from faults.injecting import Injected, Repair
from faults.journal import Journal
from faults.levels import Levels
from faults.recognising import INCIDENT_VERDICTS
from faults.report import Summary, percentile
from faults.requests import Requests, Seen, longest_unavailable_seconds
from faults.schedule import Fault

LEVELS = Levels(memory_bytes=10**9, descriptors=1000, connections=50, processes=90)


def seen(began_at: float, ended_at: float, failure: str | None = None, **more: str) -> Seen:
    return Seen("GET", began_at, ended_at, failure, **more)  # type: ignore[arg-type]


def summary(requests: Requests | None = None, injected: Injected | None = None, **more: Levels) -> Summary:
    levels = {"before": LEVELS, "after": LEVELS} | more
    return Summary(
        1, 60, injected or Injected(), requests or Requests(), 0, 0, Findings(), levels["before"], levels["after"], 1
    )


class TestUnavailability:
    def test_it_lasts_from_the_first_failed_request_to_the_last_before_a_success(self) -> None:
        requests = [seen(0, 1), seen(2, 3, "503"), seen(4, 6, "503"), seen(5, 7), seen(8, 8.5, "503"), seen(9, 10)]

        assert longest_unavailable_seconds(requests) == 4

    def test_without_failures_there_is_none(self) -> None:
        assert longest_unavailable_seconds([seen(0, 1), seen(50, 51)]) == 0


class TestServiceKills:
    def test_only_promised_requests_that_were_under_way_while_one_was_down_count(self) -> None:
        killed = Repair(Fault(0, "kill-service", "creditx-1"), began_at=10, over_at=10, back_at=10.4, repaired_at=10.5)
        frozen = Repair(Fault(0, "freeze-cache"), began_at=30, over_at=35, back_at=None, repaired_at=35)
        requests = Requests([
            seen(9.9, 10.1, "503"), seen(10.2, 10.3), seen(10.2, 10.3, "503", via="proxy"), seen(12, 13, "503"),
            seen(31, 32, "503"),
        ])  # fmt: skip
        told = summary(requests, Injected(repairs=[killed, frozen]))

        assert told.failed_while_killed() == 1
        assert told.back_seconds() == pytest.approx(0.4)


class TestHeld:
    def test_every_promise_kept(self) -> None:
        told = summary(injected=Injected(Counter({"kill-edge": 1})))

        assert (told.held, told.exit_code, told.lines()[-1]) == (True, 0, "every promise was kept")

    def test_without_a_fault_nothing_is_known(self) -> None:
        told = summary()

        assert (told.held, told.broken, told.exit_code) == (False, False, 2)
        assert told.lines()[-1].startswith("NOTHING WAS TRIED")

    def test_a_broken_promise_is_told_with_the_command_that_tries_it_again(self) -> None:
        told = replace(summary(), again="eco chaos run --seed 7 --minutes 3")
        told.findings.add("lost", "document 1")

        assert told.lines()[-1] == "PROMISES WERE BROKEN: eco chaos run --seed 7 --minutes 3"
        assert told.exit_code == 1

    def test_each_kind_says_how_often_or_why_not(self) -> None:
        injected = Injected(Counter({"kill-edge": 2, "fill-disk": 0}), {"fill-disk": "no tmpfs"})
        told = replace(summary(injected=injected), drawn=frozenset({"kill-edge", "fill-disk", "kill-sandbox"}))

        lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in told.lines()[1:] if line.startswith("  ")}
        assert lines["kill-edge"] == "injected 2"
        assert lines["fill-disk"] == "not possible here: no tmpfs"
        assert lines["kill-sandbox"] == "injected 0"
        assert lines["kill-zygote"] == "injected 0: not drawn in this schedule"

    @pytest.mark.parametrize("verdict", ["lost", "doubled", "leaked", "stuck"])
    def test_one_broken_promise_is_enough(self, verdict: str) -> None:
        told = summary()
        told.findings.add(verdict, "document 1")

        assert not told.held
        assert told.as_json()[verdict] == 1
        assert "  document 1" in told.lines()

    @pytest.mark.parametrize("verdict", INCIDENT_VERDICTS)
    def test_a_fault_that_is_not_told_rightly_is_enough(self, verdict: str) -> None:
        told = summary(injected=Injected(Counter({"kill-edge": 1})))
        told.findings.recognised.wrong[verdict].append("kill-edge at 3 s: no incident tells of it")

        assert not told.held
        assert told.as_json()[verdict] == 1
        assert "  kill-edge at 3 s: no incident tells of it" in told.lines()

    @pytest.mark.parametrize("verdict", MESSAGE_VERDICTS)
    def test_a_message_that_did_not_arrive_as_promised_is_enough(self, verdict: str) -> None:
        told = summary(injected=Injected(Counter({"kill-edge": 1})))
        told.findings.delivered.wrong[verdict].append("message 1 to the mail of company 2")

        assert not told.held
        assert told.as_json()[verdict] == 1
        assert "  message 1 to the mail of company 2" in told.lines()

    def test_so_is_one_fault_of_two_that_needs_a_person(self) -> None:
        told = summary(injected=Injected(Counter({"kill-edge": 2})))
        told.findings.recognised.faults, told.findings.recognised.repaired_by_itself = 2, 1

        assert not told.held
        assert "repaired by itself   1 of 2 faults (50 %, at least 95)" in told.lines()

    def test_memory_above_its_level_breaks_it(self) -> None:
        told = summary(after=Levels(2 * 10**9, 1000, 50, 90))

        assert not told.held
        assert told.above[0].startswith("memory")


def test_percentiles_are_values_that_were_measured() -> None:
    assert [percentile([1, 2, 3, 4], share) for share in (0.5, 0.95)] == [3, 4]
    assert percentile([], 0.5) == 0


def test_a_journal_read_back_is_what_was_promised(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.write("asked", company="c", key="k", sha256="s", expected="approved")
    journal.write("asked", company="c", key="unanswered", sha256="s", expected="approved")
    journal.write("accepted", key="k", document="d1")
    journal.write("outcome", key="k", outcome="completed/approved")
    journal.write("accepted", key="k", document="d2")
    promises = journal.read()
    journal.close()

    assert [(one.key, one.outcome) for one in promises.accepted()] == [("k", "completed/approved")]
    assert promises.broken == [("doubled", "key k stands for two documents")]


def test_a_message_that_was_promised_under_two_ids_is_doubled(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.write("to_tell", owner="c", about="m", channels=("mail",))
    journal.write("to_tell", owner="c", about="unanswered", channels=("mail",))
    for ids in (["1"], ["1"], ["2"]):
        journal.write("told", about="m", ids=ids, page=None)
    promises = journal.read()
    journal.close()

    assert [one.about for one in promises.messages.values() if one.promised] == ["m"]
    assert promises.broken == [("doubled", "message m was promised twice, under different ids")]
