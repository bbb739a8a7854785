"""Goal: root may start a platform from a folder that only root can enter. Method: everything behind such a folder.

Services give up root before they serve: what they would import or read only then, they could not find any more.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fleets import Fleet, a_home
from tests.support.providers import a_webhook
from tests.tidy.tree import ROOT

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="who is not root has nothing to give up"),
]


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """Our packages and those of others on a path through a folder of mode 0700, for a Python that knows no others."""
    with tempfile.TemporaryDirectory() as hidden:
        packages = next(Path(sys.prefix, "lib").glob("python3.*/site-packages"))
        places = {
            "packages": packages,
            "src": ROOT / "src",
            "client": ROOT / "client/src",
            "sp": ROOT / "specimens/src",
        }
        for name, place in places.items():
            Path(hidden, name or "src").symlink_to(place)
        path = os.pathsep.join(f"{hidden}/{name or 'src'}" for name in places)
        python = str(Path(sys.base_prefix, "bin", f"python3.{sys.version_info[1]}"))
        reached = {"ECO_MONITORING_PRIVATE_NETWORKS": "127.0.0.0/8"}
        with a_home("hidden", python=python, PYTHONPATH=path, **reached) as fleet:
            yield fleet


def test_a_document_reaches_its_outcome_a_message_its_reader_and_nothing_was_out_of_reach(fleet: Fleet) -> None:
    made = fleet.home.parent / "made"
    commands = (
        ("up",), ("login",), ("company", "create", "Alder AG"),
        ("specimens", "--seed", "1", "--out", str(made), "--kind", "invoice", "--count", "1"),
    )  # fmt: skip
    done = [fleet.eco(*words) for words in commands]
    document = next(made.glob("invoice*.pdf"))
    done.append(fleet.eco("documents", "upload", str(document), "--wait"))
    with a_webhook() as hook:
        address = fleet.home.parent / "address"
        address.write_text(hook.url())
        done.append(fleet.eco("notifications", "add", "chat", "--url-file", str(address)))
        done.append(fleet.eco("notifications", "test", "chat"))
    logs = "".join(path.read_text(errors="replace") for path in (fleet.home / "logs").glob("*.log"))

    assert [one.returncode for one in done] == [0] * 7, "".join(one.stderr for one in done)
    assert [word for word in ("ModuleNotFoundError", "ImportError", "PermissionError") if word in logs] == []
