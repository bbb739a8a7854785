"""Goal: the sandbox gives way to services, and to nobody else's harm. Method: real processes, the kernel is asked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.poll import PATIENCE_SECONDS

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="this kernel does not share processors between sessions"
)
ACCOUNTS = [None, (65534, 65534)] if os.geteuid() == 0 else [None]
"""Only root can start workers as another account."""
SERVICE = """
import asyncio, json, os, sys
from pathlib import Path
import psutil
from ecosystem.kernel.sandbox import prefork
from ecosystem.kernel.sandbox.sandbox import Sandbox
from ecosystem.kernel.sandbox.settings import SandboxSettings
from tests.support.poll import eventually

account = json.loads(sys.argv[1])
os.setsid()
if {shares_its_session}:
    os.setsid = lambda: None
prefork.start_spawner(tuple(account) if account else None)

def niceness(pid):
    return int(Path(f"/proc/{{pid}}/autogroup").read_text().split()[-1])

async def main():
    sandbox = Sandbox(SandboxSettings(niceness=7, workers_warm=1))
    async def worked():
        await sandbox.run("ecosystem.kernel.sandbox.echo:size", b"abc")
        (spawner,) = [spawner for guardian in psutil.Process().children() for spawner in guardian.children()]
        return niceness(spawner.pid)
    # Where it is not root, a machine takes one such write in 0.1 s: a later worker does it.
    found = await (worked() if {shares_its_session} else eventually(worked))
    await sandbox.close()
    print(json.dumps([found, niceness(os.getpid())]))
asyncio.run(main())
"""


def nicenesses(account: tuple[int, int] | None, *, shares_its_session: bool) -> list[int]:
    """Of the spawner's session and of the session of the service that uses it."""
    script = SERVICE.format(shares_its_session=shares_its_session)
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(account)],
        capture_output=True, env=environment, timeout=2 * PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    found: list[int] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("account", ACCOUNTS)
def test_the_session_of_a_sandbox_gives_way_by_its_niceness_and_that_of_its_service_stays(
    account: tuple[int, int] | None,
) -> None:
    assert nicenesses(account, shares_its_session=False) == [7, 0]


def test_a_session_that_others_share_is_left_as_it_is() -> None:
    assert nicenesses(None, shares_its_session=True) == [0, 0]
