"""Goal: a campaign that cannot mean anything does not begin, and one that began can be repeated. Method: its words."""

import subprocess
import sys

import pytest

from ecosystem.cli.project import tool_environment
from faults.__main__ import main
from faults.arguments import again, parse
from faults.schedule import schedule

SERVICES = ("--services", "authn,creditx")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        *((("--minutes", value), f"'{value}' is no number from 0.1 to 1440") for value in
          ("0", "-1", "nan", "inf", "1e9", "ten")),
        *((("--rate", value), f"'{value}' is no number from 0.01 to 100") for value in ("0", "-3", "nan")),
        (("--settle", "-1"), "'-1' is no number from 1 to 3600"),
        (("--replicas", "0"), "'0' is no number from 1 to 32"),
        (("--replicas", "1.5"), "'1.5' is no whole number"),
        (("--kinds", ","), "names no kind of fault before or after a comma; there are kill-service"),
        (("--kinds", "kill-edge,"), "names no kind of fault before or after a comma"),
        (("--kinds", "kill-everything"), "there is no kill-everything; there are kill-service"),
        (("--kinds", "kill-edge", "--schedule", "plan.json"), "give one of the two"),
    ],
)  # fmt: skip
def test_what_is_out_of_range_is_refused(words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse([*SERVICES, *words])

    said = capsys.readouterr().err
    assert end.value.code == 2
    assert told in said
    assert said.endswith("\nNext: eco chaos run --help\n")


@pytest.mark.parametrize("words", [("--minutes", "0.1"), ("--schedule", "/nowhere/plan.json"), ("--schedule", "/tmp")])
def test_without_a_fault_nothing_begins(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["faults", *SERVICES, *words])

    assert main() == 2
    assert capsys.readouterr().err.endswith("Next: eco chaos run --plan --json prints a schedule\n")


def test_the_command_that_is_told_runs_the_same_schedule() -> None:
    words = ["--seed", "11", "--minutes", "2.345678901", "--kinds", "kill-edge,kill-service", "--rate", "2.5"]
    first = parse([*SERVICES, *words, "--replicas", "3", "--settle", "20"])

    told = again(first).split()
    second = parse([*SERVICES, *told[3:]])

    assert told[:3] == ["eco", "chaos", "run"]
    assert second == first
    assert [
        schedule(one.seed, one.minutes, one.services, replicas=one.replicas, kinds=one.kinds) for one in (first,)
    ] == [schedule(one.seed, one.minutes, one.services, replicas=one.replicas, kinds=one.kinds) for one in (second,)]


def test_a_schedule_of_a_file_is_named_again() -> None:
    told = again(parse([*SERVICES, "--schedule", "my plan.json"]))

    assert told == "eco chaos run --seed 1 --minutes 1 --rate 1 --replicas 2 --schedule 'my plan.json'"


def test_a_reader_may_have_seen_enough() -> None:
    """`eco chaos run --plan --json | head -1`, of a plan that no pipe holds."""
    command = [sys.executable, "-m", "faults", *SERVICES, "--plan", "--json", "--minutes", "180"]
    with subprocess.Popen(
        command, env=tool_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "{\n"
        process.stdout.close()
        said = process.stderr.read()

    assert (process.returncode, said) == (0, "")
