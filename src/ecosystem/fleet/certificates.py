"""The identities of one machine: the fleet is the authority and renews every certificate long before it ends."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ecosystem.fleet.home import Home, write_atomically
from ecosystem.kernel.identity.authority import Authority, expires_at

EDGE = "edge"


class Certificates:
    def __init__(self, home: Home, hours: float, edge_host: str) -> None:
        self._home, self._hours, self._edge_host = home, hours, edge_host
        self._authority = Authority.open(home.authority)

    def file(self, name: str) -> Path:
        return self._home.leaves / f"{name}.pem"

    def renew(self, names: Iterable[str]) -> list[str]:
        """Issue what is missing or in the last third of its life; the names that were issued."""
        write_atomically(self._home.bundle, self._authority.bundle(), 0o644, self._home.account)
        issued = []
        for name in names:
            if self._is_due(name):
                hosts = (self._edge_host,) if name == EDGE else ()
                pem = self._authority.issue(name, hours=self._hours, hosts=hosts)
                write_atomically(self.file(name), pem, 0o600, self._home.account)
                issued.append(name)
        return issued

    def _is_due(self, name: str) -> bool:
        try:
            left = expires_at(self.file(name).read_bytes()) - datetime.now(UTC)
        except (OSError, ValueError):
            return True
        return left < timedelta(hours=self._hours) / 3
