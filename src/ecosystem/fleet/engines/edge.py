"""The process of the edge, an Envoy. What it serves is written by gateway-service; here is what it waits with."""

import json
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from ecosystem.fleet.engines.cache import reachable_program
from ecosystem.fleet.engines.found import Found
from ecosystem.fleet.engines.launch import launch
from ecosystem.fleet.home import Home, write_atomically

_TYPES = "type.googleapis.com/envoy.extensions."
_CONNECTIONS_MAX = 20_000


class Edge:
    name = "edge"
    stop_signal = signal.SIGTERM

    def __init__(self, home: Home, found: Found) -> None:
        self._home, self._found = home, found

    @property
    def version(self) -> str:
        return self._found.version

    @property
    def admin_socket(self) -> Path:
        return self._home.run / "edge" / "admin.sock"

    def prepare(self) -> None:
        """The bootstrap, and empty listeners and clusters where gateway-service has not written any yet."""
        self._write("bootstrap.json", self._bootstrap())
        for name in ("lds.json", "cds.json"):
            if not (self._home.edge / name).exists():
                self._write(name, {"version_info": "0", "resources": []})

    def start(self, log: int) -> "subprocess.Popen[bytes]":
        self.prepare()
        return launch(
            [str(reachable_program(self._home, self._found)), "-c", str(self._home.edge / "bootstrap.json"),
             "--disable-hot-restart", "--concurrency", "2", "--file-flush-interval-msec", "500", "--drain-time-s", "5",
             "--drain-strategy", "immediate", "--log-level", "warning"],
            account=self._home.account, death=signal.SIGTERM, log=log,
        )  # fmt: skip

    def is_ready(self, pid: int) -> bool:
        """Envoy opens its admin socket once its bootstrap is taken."""
        with socket.socket(socket.AF_UNIX) as door:
            try:
                door.connect(str(self.admin_socket))
            except OSError:
                return False
        return True

    def _bootstrap(self) -> dict[str, Any]:
        def source(name: str) -> dict[str, Any]:
            folder = str(self._home.edge)
            return {
                "resource_api_version": "V3",
                "path_config_source": {"path": f"{folder}/{name}", "watched_directory": {"path": folder}},
            }

        limit = {
            "@type": f"{_TYPES}resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            "max_active_downstream_connections": _CONNECTIONS_MAX,
        }
        monitor = {
            "name": "envoy.resource_monitors.global_downstream_max_connections",
            "typed_config": limit,
        }
        return {
            "node": {"id": "edge", "cluster": "eco"},
            "admin": {"address": {"pipe": {"path": str(self.admin_socket), "mode": 0o600}}},
            "dynamic_resources": {"lds_config": source("lds.json"), "cds_config": source("cds.json")},
            "overload_manager": {"resource_monitors": [monitor]},
        }

    def _write(self, name: str, content: dict[str, Any]) -> None:
        write_atomically(self._home.edge / name, json.dumps(content).encode(), 0o600, self._home.account)
