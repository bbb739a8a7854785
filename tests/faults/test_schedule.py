"""Goal: a seed names a schedule for ever. Method: pure functions; files written and read again."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import repair
from ecosystem.catalog import CATALOG
from ecosystem.cli.project import tool_environment
from faults.expected import EXPECTED
from faults.kinds import KINDS, SERVICE, SLOT
from faults.schedule import as_json, read, schedule

SERVICES = ("authn", "creditx", "orchestrator")


def test_the_same_seed_gives_the_same_schedule_whatever_the_order_of_the_names() -> None:
    assert schedule(7, 10, SERVICES) == schedule(7, 10, SERVICES[::-1])
    assert schedule(7, 10, SERVICES) != schedule(8, 10, SERVICES)


@pytest.mark.parametrize("seed", [*range(5), 11])
def test_ten_minutes_hold_a_hundred_faults_of_every_kind(seed: int) -> None:
    faults = schedule(seed, 10, SERVICES)

    assert len(faults) >= 100
    assert {fault.kind for fault in faults} == {kind.name for kind in KINDS}
    assert all(0 < fault.at_seconds < 600 for fault in faults)


def test_each_fault_is_aimed_at_what_its_kind_is_for_and_lasts_as_long_as_it_may() -> None:
    kinds = {kind.name: kind for kind in KINDS}
    replicas = {f"{service}-{number}" for service in SERVICES for number in (1, 2)}
    aims = {SLOT: replicas, SERVICE: set(SERVICES), "": {""}}

    for fault in schedule(3, 10, SERVICES):
        kind = kinds[fault.kind]
        assert fault.target in aims[kind.aim]
        assert kind.seconds[0] <= fault.seconds <= kind.seconds[1]


def test_only_the_kinds_that_were_asked_for() -> None:
    assert {fault.kind for fault in schedule(1, 2, SERVICES, kinds=["kill-edge"])} == {"kill-edge"}


def test_a_printed_schedule_is_read_as_it_was(tmp_path: Path) -> None:
    faults = schedule(2, 3, SERVICES)
    (tmp_path / "plan.json").write_text(json.dumps(as_json(faults)))

    assert read(tmp_path / "plan.json") == faults


def test_an_unknown_kind_is_refused_with_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"faults": [{"at_seconds": 1, "kind": "kill-everything"}]}')

    with pytest.raises(ValueError, match="kill-everything; there are kill-service"):
        read(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kill-edge at 3", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "is no schedule"),
        ("{}", "is no schedule"),
        ('{"faults": []}', "one fault or more"),
        ('{"faults": [3]}', "Fault 1 of the schedule has at_seconds and kind"),
        ('{"faults": [{"kind": "kill-edge"}]}', "Fault 1 of the schedule has at_seconds and kind"),
        ('{"faults": [{"at_seconds": 1, "kind": "kill-edge", "why": 1}]}', "and nothing else"),
        ('{"faults": [{"at_seconds": NaN, "kind": "kill-edge"}]}', "at_seconds is a number from 0 to 86400"),
        ('{"faults": [{"at_seconds": "1", "kind": "kill-edge"}]}', "at_seconds is a number"),
        ('{"faults": [{"at_seconds": 1, "kind": ["kill-edge"]}]}', "kind is a text"),
        ('{"faults": [{"at_seconds": 1, "kind": "lock-table", "detail": 1}]}', "detail is a number from 0 to 0.999"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_rule(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "plan.json").write_text(text)

    with pytest.raises(ValueError, match=told):
        read(tmp_path / "plan.json")


def test_a_plan_is_printed_and_nothing_is_done() -> None:
    command = [sys.executable, "-m", "ecosystem", "chaos", "run", "--seed", "1", "--minutes", "1", "--plan"]
    done = subprocess.run(command, env=tool_environment(), capture_output=True, text=True, check=True)
    services = [entry.short_name for entry in CATALOG]

    assert done.stdout.splitlines() == [str(fault) for fault in schedule(1, 1, services)]
    assert done.stderr == ""


def test_the_repair_benchmark_has_faults_that_need_an_incident_each_kind_often(tmp_path: Path) -> None:
    planned, begins = repair.schedule(7)
    (tmp_path / "schedule").write_text(json.dumps({"faults": planned}))
    faults = read(tmp_path / "schedule")
    often = Counter(fault.kind for fault in faults)

    assert [fault for fault in faults if not EXPECTED[fault.kind].needed(fault)] == []
    assert min(often[kind] for kind in repair.KINDS) >= 3
    assert len(begins) == 7
    assert faults[0].at_seconds >= repair.QUIET_SECONDS
