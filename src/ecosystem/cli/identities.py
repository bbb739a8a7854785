"""`eco identities`: the certificates by which processes of this home know each other, and how one is made worthless."""

import argparse
import os
import time
from pathlib import Path

from ecosystem.catalog import DEPLOYMENTS, find
from ecosystem.cli import screen
from ecosystem.cli.noun import Verb, run_noun
from ecosystem.cli.running import this_home
from ecosystem.fleet.certificates import EDGE, Certificates, SerialUnknown, serial_of
from ecosystem.fleet.place import config_file
from ecosystem.fleet.plan import with_account
from ecosystem.fleet.settings import FleetSettings
from ecosystem.kernel.errors import NotFound
from ecosystem.kernel.settings import Source

SUMMARY = "Certificates of processes: list, revoke."
_TAKEN_UP_SECONDS = 2.5  # Processes look for new certificates every second, and begin new connections with them.


def main(arguments: list[str]) -> int:
    verbs = (
        Verb("list", "Who has which certificate, and which ones are revoked.", _list, _config_option),
        Verb("revoke", "Refuse a certificate everywhere within 5 s; its owner gets a new one.", _revoke, _options),
    )
    return run_noun("identities", SUMMARY, verbs, arguments)


def _config_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, help="settings (default: ECO_CONFIG, else ./eco.toml if it is there)")


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="whose: creditx-service, edge")
    parser.add_argument("--serial", help="only this one, in hex (default: the present one, which is replaced)")
    parser.add_argument("--anyway", action="store_true", help="with --serial: also one that nobody has now")
    _config_option(parser)


def _list(parsed: argparse.Namespace) -> int:
    certificates = _certificates(parsed)
    leaves = certificates.leaves(_names())
    revoked = [line.split() for line in certificates.revoked()]
    if parsed.json:
        screen.as_json({"identities": [vars(leaf) for leaf in leaves], "revoked": [line[0] for line in revoked]})
        return 0
    screen.table(
        ("name", "until", "serial"), [(leaf.name, screen.when(leaf.expires_at), leaf.serial) for leaf in leaves]
    )
    if revoked:
        screen.out()
        screen.table(("revoked of", "since", "serial"), [(*line[1:3], line[0]) for line in revoked])
    return 0


def _revoke(parsed: argparse.Namespace) -> int:
    name, certificates, home = _name_of(parsed.name), _certificates(parsed), this_home()
    present = next((leaf.serial for leaf in certificates.leaves([name])), None)
    if parsed.serial is None and present is None:
        raise NotFound(f"{name} has no certificate in {home.path}.", suggestion="eco identities list")
    serial = present if parsed.serial is None else serial_of(parsed.serial)
    assert serial is not None
    if serial != present and not parsed.anyway:
        _refuse_unknown(certificates, serial, name)
    if serial == present:
        certificates.replace(name)
        if home.is_locked():
            screen.note(f"{name} takes its new certificate up …")
            time.sleep(_TAKEN_UP_SECONDS)
    listed = certificates.revoke(serial, name)
    if parsed.json:
        screen.as_json({"name": name, "serial": listed})
    else:
        screen.out(f"The certificate {listed} of {name} is refused everywhere within 2 s.")
    return 0


def _refuse_unknown(certificates: Certificates, serial: str, name: str) -> None:
    """A serial that was mistyped would leave the stolen certificate as good as it was."""
    if any(line.split()[0] == serial for line in certificates.revoked()):
        return
    for leaf in certificates.leaves(_names()):
        if leaf.serial == serial:
            raise SerialUnknown(f"{serial} is the certificate of {leaf.name}, not of {name}.")
    raise SerialUnknown(f"No process has a certificate {serial} now.")


def _names() -> list[str]:
    return [EDGE, *(entry.name for entry in DEPLOYMENTS)]


def _name_of(given: str) -> str:
    entry = find(given)
    if entry is None and given != EDGE:
        raise NotFound(f"There is no process {given!r}.", suggestion=f"one of: {', '.join(_names())}")
    return entry.name if entry else EDGE


def _certificates(parsed: argparse.Namespace) -> Certificates:
    settings = Source.load(config_file(parsed.config), os.environ).get(FleetSettings)
    home = with_account(this_home(), settings)
    if not home.authority.exists():
        raise NotFound(f"{home.path} has no authority yet.", suggestion="eco up")
    return Certificates(home, settings.certificate_hours, settings.edge_host)
