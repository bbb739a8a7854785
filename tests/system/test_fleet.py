"""Goal: the platform starts, tells how it is, heals, grows and stops as promised. Method: a real fleet, by commands."""

import json
import os
import signal
import ssl
import stat
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from ecosystem.catalog import CATALOG
from ecosystem.fleet.processes import is_alive
from tests.support.fleets import Fleet, a_fleet
from tests.support.poll import eventually_now

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with a_fleet("fleet") as running:
        yield running


def ask_edge(state: dict[str, str], path: str = "/.well-known/jwks.json") -> int:
    context = ssl.create_default_context(cafile=state["edge_ca"])
    with urllib.request.urlopen(state["edge_url"] + path, context=context, timeout=10) as answer:
        return int(answer.status)


@contextmanager
def under_load(state: dict[str, str]) -> Iterator[tuple[list[int], list[str]]]:
    """Two clients that ask the edge all the time: what they were answered, and what failed."""
    over, answered, failed = threading.Event(), list[int](), list[str]()

    def ask() -> None:
        while not over.is_set():
            try:
                answered.append(ask_edge(state))
            except OSError as error:
                failed.append(str(error))

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        yield answered, failed
    finally:
        over.set()
        for client in clients:
            client.join()


class TestStatus:
    def test_everything_is_ready_and_the_edge_answers(self, fleet: Fleet) -> None:
        done = fleet.eco("status", "--json", "--wait")
        state = json.loads(done.stdout)

        assert done.returncode == 0
        assert {one["state"] for one in state["processes"]} == {"ready"}
        assert {entry.name for entry in CATALOG} <= {one["name"] for one in state["processes"]}
        assert ask_edge(state) == 200

    def test_a_person_sees_pid_memory_and_uptime_of_each(self, fleet: Fleet) -> None:
        shown = fleet.eco("status").stdout

        assert "all ready." in shown
        assert all(f"{entry.short_name}-1" in shown for entry in CATALOG)

    def test_engines_and_services_do_not_run_as_root(self, fleet: Fleet) -> None:
        running = [one["pid"] for one in fleet.status()["processes"] if one["name"] != "zygote"]

        assert all(os.stat(f"/proc/{pid}").st_uid != 0 for pid in running)

    def test_what_parses_customers_bytes_has_a_figure_of_its_own(self, fleet: Fleet) -> None:
        creditx = next(one for one in fleet.status()["processes"] if one["name"] == "creditx-service")
        lines = fleet.eco("status").stdout.splitlines()
        (row,) = [after for line, after in pairwise(lines) if line.startswith("creditx-1 ") and "its sandbox" in after]

        sandbox = creditx["sandbox"]
        assert 0 < sandbox["memory_bytes"] < creditx["memory_bytes"]
        assert (sandbox["spawners"], sandbox["workers"] >= 1) == (1, True)
        assert "1 spawner, " in row
        assert "MB" in row

    def test_memory_at_rest_is_below_its_limit(self, fleet: Fleet) -> None:
        processes = fleet.status()["processes"]

        assert sum(one["memory_bytes"] for one in processes) < 700 * 2**20


class TestSecrets:
    def test_the_first_credential_is_in_a_private_file_and_in_no_log(self, fleet: Fleet) -> None:
        file = fleet.home / "secrets" / "first-administrator.credential"
        credential = file.read_text().strip()
        logs = "".join(path.read_text(errors="replace") for path in (fleet.home / "logs").glob("*.log"))

        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert credential not in logs

    def test_no_password_is_in_a_command_line_or_an_environment(self, fleet: Fleet) -> None:
        secrets = [(fleet.home / "fleet" / name).read_bytes() for name in ("cache.password", "postgres.password")]
        seen = b""
        for one in fleet.status()["processes"]:
            seen += b"".join(Path(f"/proc/{one['pid']}/{name}").read_bytes() for name in ("cmdline", "environ"))

        assert not any(secret in seen for secret in secrets)


class TestSecondUp:
    def test_it_says_that_one_runs_and_changes_nothing(self, fleet: Fleet) -> None:
        before = fleet.status()
        done = fleet.eco("up")

        assert done.returncode == 0
        assert "already runs" in done.stdout
        assert fleet.status()["pid"] == before["pid"]

    def test_one_of_another_home_stands_beside_it_on_the_next_port(self, fleet: Fleet) -> None:
        """Looked at through doctor, which asks for the same port as a start would, without the start."""
        other = json.loads(fleet.eco("doctor", "--json", ECO_HOME=f"{fleet.home}-2").stdout)
        taken = fleet.status()["edge_url"].rpartition(":")[2]
        port = next(one["fact"] for one in other["findings"] if one["name"] == "port").split()[0]

        assert port != taken

    def test_an_explicit_busy_port_is_refused_and_nothing_starts(self, fleet: Fleet) -> None:
        taken = fleet.status()["edge_url"].rpartition(":")[2]
        done = fleet.eco("up", ECO_HOME=f"{fleet.home}-2", ECO_FLEET_EDGE_PORT=taken)

        assert done.returncode == 1
        assert f"Port {taken}" in done.stderr
        assert "Next: " in done.stderr
        assert not list(Path(f"{fleet.home}-2").glob("postgres*"))


class TestHealing:
    @pytest.mark.parametrize("slot", ["creditx-1", "cache", "zygote"])
    def test_a_killed_process_is_back_by_itself(self, fleet: Fleet, slot: str) -> None:
        """How soon is for `test_when_something_dies.py`; here another fleet may be at work."""
        before = fleet.process(slot)
        os.kill(before["pid"], signal.SIGKILL)

        back = eventually_now(
            lambda: fleet.process(slot), lambda one: one["state"] == "ready" and one["pid"] not in (None, before["pid"])
        )

        assert back["restarts"] == before["restarts"] + 1
        assert fleet.eco("status", "--wait").returncode == 0


class TestStoppedSupervisor:
    def test_commands_say_so_and_what_to_do_and_end(self, fleet: Fleet) -> None:
        pid = fleet.status()["pid"]
        asked = (("status", "--wait"), ("down",), ("scale", "creditx", "2"))
        os.kill(pid, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(len(asked)) as pool:
                ended = list(pool.map(lambda words: fleet.eco(*words), asked))
        finally:
            os.kill(pid, signal.SIGCONT)

        for done in ended:
            assert done.returncode == 1
            assert f"(pid {pid}) is stopped" in done.stdout + done.stderr
            assert f"kill -CONT {pid} lets it go on" in done.stdout + done.stderr
        assert fleet.eco("status", "--wait").returncode == 0


class TestRestart:
    def test_one_is_replaced_through_a_new_zygote_without_a_failed_request(self, fleet: Fleet) -> None:
        before = {slot: fleet.process(slot) for slot in ("authn-1", "zygote", "creditx-1")}
        with under_load(fleet.status()) as (answered, failed):
            done = fleet.eco("restart", "authn")
        after = {slot: fleet.process(slot) for slot in before}

        assert done.returncode == 0, done.stderr
        assert failed == []
        assert len(answered) > 10
        assert [after[slot]["pid"] != before[slot]["pid"] for slot in before] == [True, True, False]
        assert after["zygote"]["restarts"] == before["zygote"]["restarts"]


class TestScale:
    def test_up_and_down_under_load_fails_no_request(self, fleet: Fleet) -> None:
        with under_load(fleet.status()) as (answered, failed):
            grown = fleet.eco("scale", "authn", "2")
            replicas = sum(one["name"] == "authn-service" for one in fleet.status()["processes"])
            shrunk = fleet.eco("scale", "authn", "1")

        assert (grown.returncode, replicas, shrunk.returncode) == (0, 2, 0), grown.stderr + shrunk.stderr
        assert failed == []
        assert len(answered) > 10

    @pytest.mark.parametrize(("service", "replicas", "rule"), [("nobody", "2", "no service"), ("authn", "99", "1 to")])
    def test_nonsense_is_refused_by_its_rule(self, fleet: Fleet, service: str, replicas: str, rule: str) -> None:
        done = fleet.eco("scale", service, replicas)

        assert done.returncode == 1
        assert rule in done.stderr
        assert "Next: " in done.stderr


class TestLogs:
    def test_lines_of_a_service_are_shown_and_filtered(self, fleet: Fleet) -> None:
        lines = [json.loads(line) for line in fleet.eco("logs", "creditx", "--json").stdout.splitlines()]

        assert any(line["message"] == "service started" for line in lines)
        assert fleet.eco("logs", "creditx", "--level", "critical").stdout == ""
        assert fleet.eco("logs", "--trace", "0" * 32).stdout == ""

    def test_a_service_that_is_none_is_refused_with_those_there_are(self, fleet: Fleet) -> None:
        done = fleet.eco("logs", "nobody")

        assert done.returncode == 1
        assert "creditx" in done.stderr


class TestEnd:
    """Last in this file: what comes after a dead supervisor."""

    def test_nothing_is_orphaned_and_the_next_start_keeps_the_data(self, fleet: Fleet) -> None:
        before = fleet.status()
        pids = [one["pid"] for one in before["processes"]]
        os.kill(before["pid"], signal.SIGKILL)
        eventually_now(lambda: not any(is_alive(pid) for pid in pids))
        again = fleet.eco("up")

        assert again.returncode == 0, again.stderr
        assert ask_edge(fleet.status()) == 200

    def test_down_ends_everything_and_says_where_the_data_stays(self, fleet: Fleet) -> None:
        pids = [one["pid"] for one in fleet.status()["processes"]]
        done = fleet.eco("down")

        assert done.returncode == 0
        assert str(fleet.home) in done.stdout
        assert not any(is_alive(pid) for pid in pids)
        assert fleet.eco("status").returncode == 1
        assert "Nothing runs" in fleet.eco("down").stdout
