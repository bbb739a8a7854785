"""`eco demo`: a platform of its own, documents through its edge, each followed to its outcome; then nothing is left."""

import argparse
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from ecosystem.cli import demo_page, demo_report, screen
from ecosystem.cli.demonstration import LOCALE, Case, Report, folder_cases, passed_over, send_all, specimen_cases
from ecosystem.cli.login import first_administrator
from ecosystem.cli.noun import duration, guarded
from ecosystem.cli.operator import Platform, platform
from ecosystem.fleet.place import our_command
from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem.kernel.words import counted
from ecosystem_client import Ecosystem

SUMMARY = "Start a platform of its own, send documents through it, print what came of each, and clean up."
_UP_SECONDS = 120
_NAMED_MAX = 5
_DOWN_SECONDS = 40
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class PlatformDidNotStart(EcosystemError):
    code, kind, severity = "platform_did_not_start", Kind.UNKNOWN, Severity.HIGH
    rule = "The platform of the demonstration did not start."
    suggestion = "eco doctor says what this machine lacks"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="eco demo", description=SUMMARY)
    parser.add_argument("folder", nargs="?", type=Path, help="send the files of this folder instead of specimens")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other specimens (default: 1)")
    parser.add_argument("--keep", action="store_true", help="leave the platform running and its home in place")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the table as a picture, too")
    parser.add_argument(
        "--report", type=Path, default=Path("demo-report.html"), metavar="FILE",
        help="the pages, what was read on them and why they were judged so, as HTML (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--timeout", type=duration, default=60, metavar="SECONDS", help="a document (default: 60)")
    parsed = parser.parse_args(arguments)
    return guarded("eco demo", lambda: _demonstrate(parsed))


def _demonstrate(parsed: argparse.Namespace) -> int:
    """0 only if every document has an outcome, and each that has a truth came out as it says."""
    if parsed.folder:
        _tell_passed_over(passed_over(parsed.folder))
    cases = folder_cases(parsed.folder) if parsed.folder else specimen_cases(parsed.seed, datetime.now(UTC).date())
    started = time.monotonic()
    with _interruptible(), _home(keep=parsed.keep) as home, _running(home, keep=parsed.keep) as running:
        screen.note(f"ready after {time.monotonic() - started:.1f} s at {running.edge_url}")
        reports = _send(running, cases, parsed.timeout)
        good = all(report.good for report in reports)
        if parsed.svg:
            demo_report.picture(reports, parsed.svg)
        seconds = round(time.monotonic() - started, 2)
        written = demo_page.write(parsed.report, reports, seconds=seconds, made_at=datetime.now(UTC))
        if parsed.json:
            about = {"home": str(home) if parsed.keep else None, "edge_url": running.edge_url, "good": good}
            demo_report.as_json(reports, seconds=seconds, report=str(written), **about)
        else:
            demo_report.table(reports)
            _conclude(reports, parsed, home)
            screen.out(f"Pages, boxes and evidence, to look at: {written.as_uri()}")
    return 0 if good else 1


def _tell_passed_over(names: list[str]) -> None:
    if names:
        shown = [screen.clean(name) for name in names[:_NAMED_MAX]]
        more = [f"{len(names) - _NAMED_MAX} more"] if len(names) > _NAMED_MAX else []
        screen.note(f"passed over, only regular files that are not hidden are sent: {', '.join([*shown, *more])}")


def _send(running: Platform, cases: list[Case], timeout_seconds: float) -> list[Report]:
    """As a company's own program would: with a client that may do no more than it needs."""
    with running.connect(first_administrator(running)) as administrator:
        company = administrator.companies.create(
            "Demonstration AG", region="eu", time_zone="Europe/Zurich", locale=LOCALE, currency="CHF"
        )
        client = administrator.clients.create("demonstration", roles=["integrator"], company_id=company.company_id)
    secret = str(client.client_secret)
    reports = []
    with Ecosystem(running.edge_url, client.client_id, secret, ca=running.edge_ca) as ecosystem:
        for number, report in enumerate(send_all(ecosystem, cases, timeout_seconds=timeout_seconds), 1):
            came = report.outcome or "no outcome"
            screen.note(f"{number}/{len(cases)} {screen.clean(report.name)}: {came} after {report.seconds:.2f} s")
            reports.append(report)
    return reports


def _conclude(reports: list[Report], parsed: argparse.Namespace, home: Path) -> None:
    compared = [report for report in reports if report.compared]
    if compared:
        agreeing = sum(report.good for report in compared)
        screen.out(f"{agreeing} of {len(compared)} came out as the truth of their specimen says.")
    having = sum(report.outcome is not None for report in reports)
    screen.out(f"Outcomes: {having} of {counted(len(reports), 'document')}.")
    if parsed.keep:
        screen.out(f"The platform goes on in {home}. Next:")
        screen.out(f"  export ECO_HOME={home}")
        screen.out("  eco documents result ID    eco runs list    eco events tail    eco logs --trace TRACE")
        screen.out(f"  eco down && rm -r {home}")
    else:
        screen.out("To look further (eco documents result ID, eco logs --trace TRACE), run eco demo --keep.")


@contextmanager
def _home(*, keep: bool) -> Iterator[Path]:
    """A folder with a short path: sockets in it have a limit of 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="eco-demo-"))
    # Services run as another account where the demonstration runs as root: they pass through, they do not look.
    folder.chmod(0o711)
    try:
        yield folder / "home"
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(home: Path, *, keep: bool) -> Iterator[Platform]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ECO_")}
    environment["ECO_HOME"] = os.environ["ECO_HOME"] = str(home)
    log = home.parent / "up.log"
    screen.note("starting a platform of its own …")
    done = False
    try:
        with log.open("wb") as output:
            code = _eco("up", environment, output, _UP_SECONDS)
        if code != 0:
            screen.note(log.read_text(errors="replace").rstrip())
            raise PlatformDidNotStart
        yield platform(home)
        done = True
    finally:
        if not (keep and done):
            with log.open("ab") as output:
                _eco("down", environment, output, _DOWN_SECONDS)


def _eco(verb: str, environment: dict[str, str], output: object, seconds: float) -> int:
    """One command of ours in a session of its own, so that Ctrl-C reaches us alone and we end it in order."""
    command = our_command("ecosystem", verb)
    with subprocess.Popen(  # noqa: S603 our own words
        command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
    ) as process:  # type: ignore[call-overload]
        try:
            return int(process.wait(seconds))
        except subprocess.TimeoutExpired:
            return 1
        finally:
            if process.poll() is None:
                process.terminate()


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM or a closed terminal ends the demonstration as Ctrl-C does: in order; once is enough."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        for ending in _ENDING:
            signal.signal(ending, signal.SIG_IGN)
        screen.note("interrupted: cleaning up …")
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
