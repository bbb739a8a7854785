"""`eco login`: the commands of this home act as a client of its platform from now on."""

import argparse
import getpass
import sys
from pathlib import Path

from ecosystem.cli import screen
from ecosystem.cli.noun import guarded
from ecosystem.cli.operator import (
    FIRST_CREDENTIAL,
    NotLoggedIn,
    Operator,
    Platform,
    company_of_token,
    operator,
    platform,
    store_operator,
)
from ecosystem_client import claim_first_administrator

SUMMARY = "Log in to the platform of this home, the first time with its one-time credential."


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="eco login", description=SUMMARY)
    parser.add_argument("--client", metavar="ID", help="log in as this client instead; asks for its secret")
    parser.add_argument("--secret-file", type=Path, help="read the secret from a file (- for standard input)")
    parsed = parser.parse_args(arguments)
    return guarded("eco login", lambda: _login(platform(), parsed))


def _login(running: Platform, parsed: argparse.Namespace) -> int:
    if parsed.client is not None:
        who = _proven(running, Operator(parsed.client, _secret(parsed.secret_file)))
    elif (running.home / FIRST_CREDENTIAL).exists():
        who = first_administrator(running)
    else:
        who = _proven(running, _known(running.home))
    path = store_operator(running.home, who)
    acts = f"for the company {who.company_id}" if who.company_id else "for the whole platform"
    screen.out(f"Logged in as {who.client_id}, {acts}. Kept in {path}, readable by you only.")
    if who.company_id is None:
        screen.out('Next: eco company create "Example AG"')
    return 0


def first_administrator(running: Platform) -> Operator:
    """Exchange the one-time credential, which dies with it. Raises ApiError if it was used before."""
    path = running.home / FIRST_CREDENTIAL
    client = claim_first_administrator(running.edge_url, path.read_text().strip(), ca=running.edge_ca)
    who = Operator(client.client_id, str(client.client_secret))
    # Stored before the credential's file goes: a crash in between leaves a login, not a locked door.
    store_operator(running.home, who)
    path.unlink(missing_ok=True)
    return who


def _known(home: Path) -> Operator:
    try:
        return operator(home)
    except NotLoggedIn:
        raise NotLoggedIn(
            "The one-time credential of this home has been used, and no login is kept here.",
            suggestion="eco login --client ID with the id and secret of a client that you were given",
        ) from None


def _proven(running: Platform, who: Operator) -> Operator:
    """Raises LoginRefused. The token says for which company the client acts."""
    with running.connect(who) as connection:
        return Operator(who.client_id, who.client_secret, company_of_token(connection.token()))


def _secret(path: Path | None) -> str:
    if path is None and sys.stdin.isatty():
        return getpass.getpass("Secret: ").strip()
    if path is None or str(path) == "-":
        return sys.stdin.readline().strip()
    return path.read_text().strip()
