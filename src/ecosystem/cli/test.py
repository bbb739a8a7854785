"""`eco test`: the checks, then the tests in the order in which a failure says most."""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass

from ecosystem.cli import check
from ecosystem.cli.project import ROOT, tool_environment

SUMMARY = "Run the checks and the tests of this checkout (under 10 minutes on 2 cores)."


@dataclass(frozen=True)
class Stage:
    """`budget_seconds` is what the whole suite was promised; a stage beyond it is named, never failed for it."""

    name: str
    budget_seconds: int
    pytest: tuple[str, ...]


_CAMPAIGNS = ("tests/system/test_campaign.py", "tests/system/test_planted_bugs.py")
# Neighbours stay together, as they share what is slow to make; whoever is done first takes from the other.
_SHARED = ("-n", "2", "--dist", "worksteal")
# Tests of fleets wait more than they work: two fleets at once, each the one of its file.
_TWO_FLEETS = ("-n", "2", "--dist", "loadfile")
STAGES = (
    Stage("check", 60, ()),
    Stage("unit", 90, (*_SHARED, "tests", "--ignore=tests/tidy", "--ignore=tests/services", "--ignore=tests/system")),
    Stage("services", 150, (*_SHARED, "tests/services")),
    Stage("system", 150, (*_TWO_FLEETS, "tests/system", *(f"--ignore={name}" for name in _CAMPAIGNS))),
    Stage("campaign", 150, _CAMPAIGNS),
)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="eco test",
        description=SUMMARY,
        epilog="What stands after -- goes to pytest: ./eco test unit -- -k settings -x",
    )
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"only these: {', '.join(s.name for s in STAGES)}")
    parser.add_argument(
        "--all", action="store_true", help="add the long ones: campaigns, soaks, benchmarks' smoke runs"
    )
    split = arguments.index("--") if "--" in arguments else len(arguments)
    chosen, theirs = parser.parse_args(arguments[:split]), arguments[split + 1 :]
    if unknown := set(chosen.stages) - {stage.name for stage in STAGES}:
        parser.error(f"there is no stage {', '.join(sorted(unknown))}")
    stages = [stage for stage in STAGES if not chosen.stages or stage.name in chosen.stages]
    results = [(stage, *_run(stage, long=chosen.all, extra=theirs)) for stage in stages]
    print()  # noqa: T201
    for stage, code, seconds in results:
        over = f"  (budget {stage.budget_seconds} s)" if seconds > stage.budget_seconds else ""
        print(f"{'passed' if code == 0 else 'FAILED'}  {stage.name:<9} {seconds:6.1f} s{over}")  # noqa: T201
    return 1 if any(code for _, code, _ in results) else 0


def _run(stage: Stage, *, long: bool, extra: list[str]) -> tuple[int, float]:
    print(f"\n== {stage.name}", flush=True)  # noqa: T201
    started = time.monotonic()
    if not stage.pytest:
        code = check.main([])
    else:
        selected = () if long else ("-m", "not long")
        command = (sys.executable, "-m", "pytest", "-q", "--durations=5", *stage.pytest, *selected, *extra)
        code = subprocess.run(command, cwd=ROOT, check=False, env=tool_environment()).returncode  # noqa: S603
    return code, time.monotonic() - started
