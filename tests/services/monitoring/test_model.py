"""Goal: urgency, times to answer and hostile words follow the rules. Method: values, some made up by Hypothesis."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecosystem.contracts.monitoring import Priority
from ecosystem.kernel.errors import Severity
from ecosystem.services.monitoring.incidents import model
from ecosystem.services.monitoring.incidents.status import How, status_of
from tests.services.monitoring.conftest import fault

ZURICH_TIME = model.Responding(ZoneInfo("Europe/Zurich"))
MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


class TestAnswers:
    @pytest.mark.parametrize(
        ("priority", "within"),
        [(Priority.P1, timedelta(minutes=5)), (Priority.P2, timedelta(minutes=15)), (Priority.P3, timedelta(hours=1))],
    )
    def test_urgent_ones_are_answered_within_their_time(self, priority: Priority, within: timedelta) -> None:
        assert ZURICH_TIME.by(priority, MONDAY) == MONDAY + within

    @pytest.mark.parametrize(
        ("now", "by"),
        [
            ("2026-03-02T12:00:00+00:00", "2026-03-03T23:00:00+00:00"),
            ("2026-03-06T12:00:00+00:00", "2026-03-09T23:00:00+00:00"),
            ("2026-03-07T12:00:00+00:00", "2026-03-09T23:00:00+00:00"),
            # It is Monday in Zurich already, and its Tuesday ends by summer time.
            ("2026-03-29T22:30:00+00:00", "2026-03-31T22:00:00+00:00"),
        ],
    )
    def test_the_others_by_the_end_of_the_next_business_day_where_people_are(self, now: str, by: str) -> None:
        assert ZURICH_TIME.by(Priority.P4, datetime.fromisoformat(now)) == datetime.fromisoformat(by)

    @pytest.mark.parametrize(
        ("severity", "priority"), list(zip(reversed(Severity), Priority, strict=True)), ids=lambda one: one.value
    )
    def test_the_worst_is_the_most_urgent(self, severity: Severity, priority: Priority) -> None:
        assert model.priority_of(severity) == priority


class TestWords:
    @given(st.text())
    def test_whatever_is_said_becomes_one_printable_line(self, words: str) -> None:
        said = model.tidy(words)

        assert said.isprintable()
        assert len(said) <= model.SAID_LENGTH_MAX

    def test_direction_and_terminal_signs_are_taken_out(self) -> None:
        assert model.tidy("a\x1b[31mb\u202ec\nd\x00e") == "a [31mb c d e"

    def test_what_is_linked_has_a_limit(self) -> None:
        incident = model.begun(fault(MONDAY), (), uuid4(), MONDAY, ZURICH_TIME)
        for number in range(100):
            more = fault(MONDAY, instance=f"creditx-{number}", trace_id=f"{number:032x}")
            incident = model.joined(incident, more, (), new_episode=False)

        assert (len(incident.instances), len(incident.trace_ids), incident.faults) == (20, 20, 101)


def test_only_what_is_felt_outside_is_told_there() -> None:
    incidents = [
        ("P4", "authn-service", MONDAY), ("P2", "consumer:counting", MONDAY + timedelta(hours=1)),
        ("P1", "creditx-service", MONDAY + timedelta(hours=2)),
    ]  # fmt: skip
    found = status_of(incidents, MONDAY + timedelta(hours=3))

    assert (found.status, found.since) == (How.OUTAGE, MONDAY + timedelta(hours=1))
    assert {part for part, how in found.parts.items() if how != How.OPERATIONAL} == {"documents"}


def test_calls_that_wait_for_an_agent_delay_documents() -> None:
    found = status_of([("P2", "queue:event-bus-agent", MONDAY)], MONDAY + timedelta(minutes=1))

    assert (found.status, found.parts["documents"], found.parts["events"]) == (
        How.DEGRADED, How.DEGRADED, How.OPERATIONAL,
    )  # fmt: skip


def test_a_service_without_any_instance_is_an_outage_of_its_part_whatever_the_incidents_say() -> None:
    found = status_of([("P3", "creditx-service", MONDAY)], MONDAY, ["creditx-service"])

    assert (found.status, found.parts["documents"], found.parts["sign_in"]) == (
        How.DEGRADED, How.OUTAGE, How.OPERATIONAL,
    )  # fmt: skip
