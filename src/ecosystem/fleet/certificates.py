"""The identities of one machine: the fleet is the authority and renews every certificate long before it ends."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from ecosystem.fleet.errors import FleetRefused
from ecosystem.fleet.home import Home, write_atomically
from ecosystem.kernel.identity.authority import Authority, expires_at
from ecosystem.kernel.identity.revocations import serial_text

EDGE = "edge"


class SerialRefused(FleetRefused):
    code = "serial_refused"
    rule = "A serial is 1 to 40 hex digits."
    suggestion = "eco identities list shows the serials; `openssl x509 -noout -serial` that of any certificate."


class SerialUnknown(FleetRefused):
    code = "serial_unknown"
    rule = "Without --anyway only a certificate is revoked that a process of this home has now."
    suggestion = (
        "`eco identities list` shows the present ones; of one that was replaced since, or made elsewhere, say --anyway."
    )


@dataclass(frozen=True)
class Leaf:
    """The certificate that a process has now."""

    name: str
    serial: str
    expires_at: datetime


def serial_of(text: str) -> str:
    """The serial as the list has it, of any form of hex. Raises SerialRefused."""
    try:
        return serial_text(text.replace(":", ""))
    except ValueError:
        raise SerialRefused(f"{text!r} is no serial.") from None


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
                self.replace(name)
                issued.append(name)
        return issued

    def leaves(self, names: Iterable[str]) -> list[Leaf]:
        """The present certificate of each name that has one."""
        found = []
        for name in names:
            if self.file(name).exists():
                certificate = x509.load_pem_x509_certificate(self.file(name).read_bytes())
                found.append(Leaf(name, serial_text(certificate.serial_number), certificate.not_valid_after_utc))
        return found

    def replace(self, name: str) -> None:
        """Give `name` a new certificate; its processes take it up by themselves."""
        hosts = (self._edge_host,) if name == EDGE else ()
        pem = self._authority.issue(name, hours=self._hours, hosts=hosts)
        write_atomically(self.file(name), pem, 0o600, self._home.account)

    def revoke(self, serial: str, name: str) -> str:
        """Have no process trust the certificate of `serial` (hex) any more; the serial as it is listed.

        `name` says whose it was. Raises SerialRefused.
        """
        listed = serial_of(serial)
        lines = [line for line in self.revoked() if line.split()[0] != listed]
        lines.append(f"{listed} {name} {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        write_atomically(self._home.revoked, "".join(f"{line}\n" for line in lines).encode(), 0o644, self._home.account)
        return listed

    def revoked(self) -> list[str]:
        """The lines of the list: serial, name, when."""
        try:
            text = self._home.revoked.read_text()
        except FileNotFoundError:
            return []
        return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]

    def _is_due(self, name: str) -> bool:
        try:
            left = expires_at(self.file(name).read_bytes()) - datetime.now(UTC)
        except (OSError, ValueError):
            return True
        return left < timedelta(hours=self._hours) / 3
