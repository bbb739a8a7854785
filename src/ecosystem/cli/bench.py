"""`eco bench`: programs that measure a named baseline in the same run and end with one JSON line a case."""

import argparse
import json
import subprocess
import sys

from ecosystem.cli.project import ROOT, tool_environment

SUMMARY = "Measure against named baselines; the last lines are JSON, one a case."


def names() -> list[str]:
    return sorted(path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py"))


def main(arguments: list[str]) -> int:
    """Exit code 0 only if every case holds its bar."""
    parser = argparse.ArgumentParser(prog="eco bench", description=SUMMARY)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(names())}")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds a case (default and least: 7)")
    parser.add_argument("--json", action="store_true", help="print the closing lines only")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(names()):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    if chosen.rounds < 7:
        parser.error("a ratio of medians means little below 7 rounds")
    broken = [name for name in chosen.names or names() if not _run(name, chosen.rounds, quiet=chosen.json)]
    if broken:
        print(f"eco bench: {', '.join(broken)}: a bar does not hold", file=sys.stderr)  # noqa: T201
    return 1 if broken else 0


def _run(name: str, rounds: int, *, quiet: bool) -> bool:
    command = (sys.executable, "-m", f"benchmarks.{name}", "--rounds", str(rounds))
    holds: list[bool] = []
    with subprocess.Popen(  # noqa: S603
        command, cwd=ROOT, env=tool_environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout or ():
            closing = _closing(line)
            holds += [bool(closing["holds"])] if closing else []
            if closing or not quiet:
                print(line, end="", flush=True)  # noqa: T201
    return process.returncode == 0 and bool(holds) and all(holds)


def _closing(line: str) -> dict[str, object] | None:
    if not line.startswith('{"benchmark"'):
        return None
    found = json.loads(line)
    return found if isinstance(found, dict) and "holds" in found else None
