"""`eco check`: everything that can be said of the code without running the platform."""

import argparse
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ecosystem.cli.project import ROOT, tool_environment

SUMMARY = "Lint, types, layers, form, schemas and licences of this checkout."


@dataclass(frozen=True)
class Check:
    name: str
    command: tuple[str, ...]
    mend: str


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


_LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"

_TYPED = ("src", "client/src", "specimens/src", "faults/src", "benchmarks")

CHECKS = (
    Check("types", _python("mypy", *_TYPED), "mend the types named above"),
    Check("lint", _python("ruff", "check", "."), "python -m ruff check --fix ."),
    Check("format", _python("ruff", "format", "--check", "."), "python -m ruff format ."),
    Check("layers", (sys.executable, "-c", _LINT_IMPORTS), "import only from the layer below"),
    Check("schemas", _python("ecosystem", "schemas", "--check"), "./eco schemas, then commit schemas/"),
    Check("form", _python("pytest", "-q", "tests/tidy"), "mend what the tests name"),
    Check("licences", _python("ecosystem.cli.licences"), "replace the package, or argue for its licence in an ADR"),
)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="eco check", description=SUMMARY)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(c.name for c in CHECKS)}")
    names = parser.parse_args(arguments).names
    if unknown := set(names) - {check.name for check in CHECKS}:
        parser.error(f"there is no check {', '.join(sorted(unknown))}")
    return run([check for check in CHECKS if not names or check.name in names])


def run(checks: list[Check]) -> int:
    """Run all, two at a time, and print each as it ends. The number of failed checks decides the exit code."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        failed = [name for name in pool.map(_one, checks) if name]
    if failed:
        print(f"\neco check: {', '.join(failed)} failed", file=sys.stderr)  # noqa: T201
    return 1 if failed else 0


def _one(check: Check) -> str | None:
    started = time.monotonic()
    done = subprocess.run(  # noqa: S603 our own commands
        check.command, cwd=ROOT, capture_output=True, text=True, check=False, env=tool_environment()
    )
    seconds = time.monotonic() - started
    good = done.returncode == 0
    lines = [f"{'passed' if good else 'FAILED'}  {check.name:<9} {seconds:5.1f} s"]
    if not good:
        lines += [done.stdout.rstrip(), done.stderr.rstrip(), f"Next: {check.mend}"]
    print("\n".join(line for line in lines if line), flush=True)  # noqa: T201
    return None if good else check.name
