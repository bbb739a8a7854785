"""One tick of one job of a service, in a process of its own, against a test's database and folder: to be killed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.entrypoints import resolve
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.harness import KernelHarness
from tests.kernel.db.fixtures import Platform, PlatformCluster
from tests.support.engines import PostgresEngine
from tests.support.killing import Place  # noqa: F401
