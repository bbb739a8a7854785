"""Goal: a fault that no incident tells rightly, in time and with its repair, is named; so is a page too many.

Method: faults and incidents made up by hand.
"""

from dataclasses import replace

import pytest

from faults.expected import EXPECTED
from faults.incidents import Episode, PageSent, Told
from faults.kinds import KINDS
from faults.recognising import INCIDENT_VERDICTS, Injection, Recognised, recognise, writable_seconds
from faults.schedule import Fault

KILL = Injection(Fault(10, "kill-service", "creditx-1"), began_at=1000, over_at=1000, well_at=1002)
TOLD = Episode(
    "e1", "instance_dead", "creditx-service", "ended by SIGKILL", began_at=1000.1, cleared_at=1001.5, told_at=1000.9,
    incident=1, repaired=True,
)  # fmt: skip
CLEAN = dict.fromkeys(INCIDENT_VERDICTS, 0)


def compare(*episodes: Episode, of: Injection | list[Injection] = KILL, pages: tuple[PageSent, ...] = ()) -> Recognised:
    return recognise(of if isinstance(of, list) else [of], Told(episodes, pages))


def counts(found: Recognised) -> dict[str, int]:
    return {verdict: len(wrong) for verdict, wrong in found.wrong.items()}


class TestIncident:
    def test_one_that_comes_in_time_with_cause_and_repair_is_right(self) -> None:
        found = compare(TOLD)

        assert counts(found) == CLEAN
        assert found.detection_seconds == [pytest.approx(0.9)]
        assert (found.repaired_by_itself_percent, found.broken, found.unexplained) == (100, False, [])

    def test_a_missing_one_is_named(self) -> None:
        found = compare()

        assert found.wrong["undetected"] == ["kill-service creditx-1 at 10.0 s: no incident tells of it"]
        assert found.broken

    @pytest.mark.parametrize("late", [replace(TOLD, told_at=1017.0), replace(TOLD, incident=None)])
    def test_a_late_one_is_as_good_as_none(self, late: Episode) -> None:
        assert counts(compare(late)) == CLEAN | {"undetected": 1}

    @pytest.mark.parametrize("wrong", [
        replace(TOLD, cause="exited with code 3"), replace(TOLD, fault="instance_frozen"),
        replace(TOLD, fault="certificate_expiring", cause="ends soon"),
    ])  # fmt: skip
    def test_a_wrong_cause_is_named(self, wrong: Episode) -> None:
        found = compare(wrong)

        assert counts(found) == CLEAN | {"misnamed": 1}
        assert wrong.cause in found.wrong["misnamed"][0]

    def test_that_of_another_service_tells_nothing(self) -> None:
        other = replace(TOLD, component="authn-service")
        found = compare(other)

        assert counts(found) == CLEAN | {"undetected": 1}
        assert found.unexplained == ["incident 1: instance_dead of authn-service (ended by SIGKILL)"]

    def test_one_before_or_after_the_fault_is_of_another(self) -> None:
        former = replace(TOLD, began_at=900, cleared_at=901, told_at=901)
        later = replace(TOLD, began_at=1020, cleared_at=1021, told_at=1020.5)

        assert counts(compare(former, later)) == CLEAN | {"undetected": 1}

    def test_without_its_repair_it_is_not_the_whole_story(self) -> None:
        assert counts(compare(replace(TOLD, repaired=False))) == CLEAN | {"unrecorded": 1}

    def test_faults_of_one_component_at_one_time_may_share_one(self) -> None:
        second = replace(KILL, fault=Fault(11, "kill-service", "creditx-2"), began_at=1001, over_at=1001, well_at=1003)
        found = compare(replace(TOLD, cleared_at=1003), of=[KILL, second])

        assert counts(found) == CLEAN
        assert (found.joined, len(found.detection_seconds)) == (1, 1)

    def test_what_ended_with_the_supervisor_is_part_of_its_incident(self) -> None:
        supervisor = Injection(Fault(10, "kill-supervisor"), began_at=999.9, over_at=999.9, well_at=1008)
        episode = Episode(
            "e2", "supervisor_restarted", "supervisor", "the supervisor before it ended without being asked to",
            began_at=1000.3, cleared_at=1007, told_at=1007.5, incident=2, repaired=True,
        )  # fmt: skip

        assert counts(compare(episode, of=[supervisor, KILL])) == CLEAN


class TestTime:
    def test_nobody_can_write_while_the_database_is_down(self) -> None:
        down = Injection(Fault(10, "kill-database"), began_at=1000, over_at=1000, well_at=1032, back_at=1030)
        told = Episode("e", "engine_dead", "postgresql", "ended by SIGKILL", 1000.1, 1030, 1040, 1, repaired=True)

        assert compare(told, of=down).detection_seconds == [pytest.approx(10)]
        assert counts(compare(replace(told, told_at=1046), of=down)) == CLEAN | {"undetected": 1}

    def test_outages_are_counted_once(self) -> None:
        assert writable_seconds([(2, 5), (4, 6), (20, 30)], 0, 10) == 6
        assert writable_seconds([(0, 10)], 2, 8) == 0


class TestPages:
    def test_what_healed_itself_pages_nobody(self) -> None:
        found = compare(TOLD, pages=(PageSent(1, 1001),))

        assert counts(found) == CLEAN | {"paged_needlessly": 1}
        assert found.repaired_by_itself_percent == 0

    def test_what_lasts_longer_than_its_budget_pages_once(self) -> None:
        long = replace(KILL, well_at=1100.0)
        lasting = replace(TOLD, cleared_at=1100)

        assert counts(compare(lasting, of=long, pages=(PageSent(1, 1061),))) == CLEAN
        found = compare(lasting, of=long, pages=(PageSent(1, 1061), PageSent(1, 1080)))
        assert found.wrong["paged_needlessly"] == ["incident 1: a second page for instance_dead of creditx-service"]

    def test_who_asks_for_help_may_page_at_once(self) -> None:
        asking = replace(TOLD, fault="crash_loop", cause="ended by SIGKILL; stopped", helped_at=1000.5)

        found = compare(asking, of=replace(KILL, well_at=1040), pages=(PageSent(1, 1000.6),))
        assert counts(found) == CLEAN
        assert (found.repaired_by_itself, found.broken) == (0, True)

    def test_a_page_without_trouble_is_needless(self) -> None:
        assert counts(compare(TOLD, pages=(PageSent(1, 1500),))) == CLEAN | {"paged_needlessly": 1}


class TestShare:
    def test_one_of_twenty_may_need_a_person(self) -> None:
        faults = [replace(KILL, began_at=1000 + 10.0 * n, over_at=1000 + 10.0 * n, well_at=1002 + 10.0 * n)
                  for n in range(20)]  # fmt: skip
        episodes = [replace(TOLD, episode_id=str(n), began_at=1000 + 10.0 * n, cleared_at=1001 + 10.0 * n,
                            told_at=1000.5 + 10 * n) for n in range(20)]  # fmt: skip

        assert compare(*episodes, of=[*faults[:19], replace(faults[19], well_at=None)]).repaired_by_itself_percent == 95
        assert not compare(*episodes, of=[*faults[:19], replace(faults[19], well_at=None)]).broken
        assert compare(*episodes, of=[*faults[:18], *(replace(f, well_at=None) for f in faults[18:])]).broken


class TestKinds:
    def test_each_has_its_names_or_a_reason_why_it_needs_none(self) -> None:
        assert set(EXPECTED) == {kind.name for kind in KINDS}
        assert all(one.names or one.none_because for one in EXPECTED.values())

    def test_what_is_short_needs_none_and_what_lasts_does(self) -> None:
        hold = Injection(Fault(1, "hold-transaction", seconds=3), began_at=1000, over_at=1003, well_at=1003)
        long = replace(hold, fault=Fault(1, "hold-transaction", seconds=30), over_at=1030, well_at=1030)

        assert compare(of=hold).not_needed.keys() == {"hold-transaction"}
        assert counts(compare(of=hold)) == CLEAN
        assert counts(compare(of=long)) == CLEAN | {"undetected": 1}

    def test_a_transaction_is_a_fault_once_it_is_old(self) -> None:
        long = Injection(Fault(1, "hold-transaction", seconds=30), began_at=1000, over_at=1030, well_at=1030)
        told = Episode("e", "horizon_held", "postgresql", "session 7 has been writing for 12 s", 1012, 1031, 1012.5, 1)
        found = compare(told, of=long)

        assert counts(found) == CLEAN
        assert found.detection_seconds == [2.5]
