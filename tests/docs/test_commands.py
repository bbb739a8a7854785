"""Goal: no command of a document can go stale unnoticed. Method: find each, and the test that runs it.

`tests/system/test_documented_commands.py` runs what stands in RUN_THERE; every other command is run by the test that
ELSEWHERE names for it.
"""

import ast
from pathlib import Path

import pytest

from ecosystem.cli.test import STAGES
from tests.support.documented import shown
from tests.system.test_documented_commands import RUN_THERE
from tests.tidy.tree import text, tree

_HERE = "tests/docs/test_commands.py"
ELSEWHERE = {
    "eco demo": "tests/system/test_demo.py::test_specimens_come_out_as_their_truth_says",
    "eco demo --svg docs/pictures/demo.svg": (
        "tests/cli/test_demo_report.py::test_the_picture_shows_the_table_and_asks_no_other_host"
    ),
    "eco test": f"{_HERE}::test_what_lands_runs_every_stage",
    "eco check": f"{_HERE}::test_what_lands_runs_every_stage",
    "eco schemas": f"{_HERE}::test_schemas_are_what_it_would_write",
    "eco bench extraction": "tests/system/test_documented_commands.py::test_a_benchmark_ends_with_its_lines",
    "eco bench events": "tests/system/test_documented_commands.py::test_a_benchmark_ends_with_its_lines",
    "eco policies show": (
        "tests/cli/test_policies.py::test_show_tells_routes_and_breakers"
    ),
    "eco bench campaign": "tests/system/test_campaign.py::test_ten_minutes_break_none",
    "eco bench repair": (
        "tests/faults/test_schedule.py::test_the_repair_benchmark_has_faults_that_need_an_incident_each_kind_often"
    ),
    "eco chaos run --seed 1 --minutes 1 --plan": (
        "tests/faults/test_schedule.py::test_a_plan_is_printed_and_nothing_is_done"
    ),
    "eco chaos run --seed 1 --minutes 1": (
        "tests/system/test_campaign.py::test_a_minute_of_faults_breaks_no_promise_and_leaves_nothing"
    ),
} | dict.fromkeys(
    ("eco logs supervisor --level warning", "eco logs zygote", "eco logs creditx --level warning"),
    "tests/system/test_when_something_dies.py::test_every_command_of_the_guide_stands_in_a_section",
) | dict.fromkeys(
    (one.command for one in shown() if one.document == "docs/guides/write-a-rule.md"),
    "tests/docs/test_write_a_rule.py::test_every_command_does_what_the_guide_says",
) | dict.fromkeys(
    (one.command for one in shown() if one.document == "docs/guides/on-call.md"),
    "tests/system/test_runbooks.py::test_the_guide_on_call",
) | {
    one.command: f"tests/system/test_runbooks.py::test_{Path(one.document).stem}"
    for one in shown() if one.document.startswith("docs/runbooks/") and one.command not in RUN_THERE
}  # fmt: skip


def test_every_command_is_run_by_a_test() -> None:
    forgotten = [f"{one.document}: {one.command}" for one in shown() if one.command not in {*RUN_THERE, *ELSEWHERE}]

    assert forgotten == [], "run it in tests/system/test_documented_commands.py, or name the test that does"


def test_none_is_kept_that_no_document_shows() -> None:
    assert {*RUN_THERE, *ELSEWHERE} - {one.command for one in shown()} == set()


@pytest.mark.parametrize("test_id", sorted(set(ELSEWHERE.values())))
def test_a_test_that_is_named_is_there(test_id: str) -> None:
    file, name = test_id.split("::")

    assert any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree(file).body)


def test_what_lands_runs_every_stage() -> None:
    """What runs this test is the command itself; here only that nothing of it is left out where it counts."""
    assert text(".ci/run").rstrip().endswith("exec ./eco test")
    assert [stage.name for stage in STAGES] == ["check", "unit", "services", "system", "campaign"]


def test_schemas_are_what_it_would_write() -> None:
    from ecosystem import description
    from ecosystem.cli import schemas

    assert schemas.main(["--check"], description.schemas()) == 0
