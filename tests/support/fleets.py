"""A whole platform for a test: its own home in a short folder, commands against it, nothing left afterwards."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecosystem.cli.login import first_administrator
from ecosystem.cli.operator import NotLoggedIn, operator, platform
from ecosystem.cli.project import tool_environment
from ecosystem_client import Ecosystem
from tests.support.engines import short_folder


@dataclass(frozen=True)
class Fleet:
    """`eco(...)` runs one command in this home."""

    home: Path
    environ: dict[str, str]
    python: str = sys.executable

    def eco(self, *arguments: str, timeout_seconds: float = 90, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.python, "-m", "ecosystem", *arguments], env=self.environ | more, cwd=self.home.parent,
            capture_output=True, text=True, timeout=timeout_seconds, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def begin(self, *arguments: str, **more: str) -> "subprocess.Popen[str]":
        """A command that goes on; the test ends it."""
        return subprocess.Popen(
            [self.python, "-m", "ecosystem", *arguments], env=self.environ | more, cwd=self.home.parent,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.eco("status", "--json").stdout))

    def process(self, slot: str) -> dict[str, Any]:
        """A process by its slot (`creditx-1`) or engine (`cache`), as the supervisor keeps it."""
        kept = json.loads((self.home / "state.json").read_text())["processes"]
        return next(one for one in kept if one["process"] == slot)


@contextmanager
def an_integrator(fleet: Fleet, name: str, **options: Any) -> Iterator[Ecosystem]:
    """A client of a company of its own, through the edge; `options` are those of `Ecosystem`."""
    running = platform(fleet.home)
    try:
        who = operator(fleet.home)
    except NotLoggedIn:
        who = first_administrator(running)
    with running.connect(who) as administrator:
        company = administrator.companies.create(
            f"{name} AG", region="eu", time_zone="Europe/Zurich", locale="en_GB", currency="CHF"
        )
        client = administrator.clients.create(name, roles=["integrator"], company_id=company.company_id)
    with Ecosystem(
        running.edge_url, client.client_id, str(client.client_secret), ca=running.edge_ca, **options
    ) as ecosystem:
        yield ecosystem


@contextmanager
def as_operator(fleet: Fleet, company: str) -> Iterator[Ecosystem]:
    """As the commands act for a company, without their processes."""
    running = platform(fleet.home)
    with running.connect(operator(fleet.home)) as administrator:
        (company_id,) = [one.company_id for one in administrator.companies.list() if one.name == company]
        yield administrator.for_company(company_id)


@contextmanager
def a_home(name: str, *, python: str = sys.executable, **environ: str) -> Iterator[Fleet]:
    """A home in which nothing runs yet; whatever runs there at the end is stopped."""
    with short_folder(name) as folder:
        fleet = Fleet(folder / "home", tool_environment() | {"ECO_HOME": str(folder / "home")} | environ, python)
        try:
            yield fleet
        finally:
            fleet.eco("down")


@contextmanager
def a_fleet(name: str, **environ: str) -> Iterator[Fleet]:
    """A platform of which everything is ready."""
    with a_home(name, **environ) as fleet:
        done = fleet.eco("up")
        assert done.returncode == 0, f"{done.stderr}\n{fleet.eco('logs', '--level', 'warning').stdout[-3000:]}"
        yield fleet
