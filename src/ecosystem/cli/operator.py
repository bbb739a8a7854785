"""The operator of a home: whom the commands act as, and the connection to the platform that runs there."""

import base64
import binascii
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecosystem.fleet.home import Home
from ecosystem.fleet.place import default_home
from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem_client import Ecosystem
from ecosystem_client.models import Company

FIRST_CREDENTIAL = Path("secrets") / "first-administrator.credential"
_OPERATOR = Path("secrets") / "operator.json"


class NotRunning(EcosystemError):
    code, kind, severity = "not_running", Kind.TRANSIENT, Severity.LOW
    rule = "No platform runs in this home."
    suggestion = "eco up (another home: ECO_HOME=FOLDER eco …)"


class NotLoggedIn(EcosystemError):
    code, kind, severity = "not_logged_in", Kind.PERMANENT, Severity.LOW
    rule = "Nobody is logged in to the platform of this home."
    suggestion = "eco login"


class CompanyUnclear(EcosystemError):
    code, kind, severity = "company_unclear", Kind.PERMANENT, Severity.LOW
    rule = "An administrator of the platform must say for which company."


@dataclass(frozen=True)
class Operator:
    """`company_id` is None for administrators of the platform: they choose a company for each command."""

    client_id: str
    client_secret: str
    company_id: str | None = None


@dataclass(frozen=True)
class Platform:
    """A platform that runs: its home, and where and how its edge is reached."""

    home: Path
    edge_url: str
    edge_ca: Path

    def connect(self, operator: Operator) -> Ecosystem:
        return Ecosystem(self.edge_url, operator.client_id, operator.client_secret, ca=self.edge_ca)


def platform(home: Path | None = None) -> Platform:
    """Raises NotRunning if the home has no platform, or has one whose edge is not up yet; HomeOfOthers."""
    home = home or default_home(os.environ)
    try:
        with Home(home).ours():
            state: dict[str, Any] = json.loads((home / "state.json").read_text())
        return Platform(home, state["edge_url"], Path(state["edge_ca"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise NotRunning(f"No platform runs in {home}.") from None


def operator(home: Path) -> Operator:
    """Raises NotLoggedIn, with the step that helps here."""
    try:
        return Operator(**json.loads((home / _OPERATOR).read_text()))
    except (OSError, ValueError, TypeError):
        raise NotLoggedIn from None


def store_operator(home: Path, who: Operator) -> Path:
    """Replaced as a whole and readable by its owner only, from its first byte on."""
    path = home / _OPERATOR
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"client_id": who.client_id, "client_secret": who.client_secret, "company_id": who.company_id}, file)
    fresh.replace(path)
    return path


def connect() -> Ecosystem:
    """As the operator of the home."""
    running = platform()
    return running.connect(operator(running.home))


def acting_for(company: str | None) -> Ecosystem:
    """As the operator: for a company where one is named, else as who the operator is, the platform's or a company's.

    Raises CompanyUnclear.
    """
    return connect() if company is None else connect_for(company)


def connect_for(company: str | None) -> Ecosystem:
    """As the operator, for a company: the one named by id or name, the operator's own, or the only one there is.

    Raises:
        CompanyUnclear: no such company, none yet, or several to choose from.
    """
    running = platform()
    who = operator(running.home)
    connection = running.connect(who)
    if who.company_id is not None:
        if company not in (None, who.company_id):
            raise CompanyUnclear(
                f"The operator's client belongs to the company {who.company_id}.", suggestion="leave --company out"
            )
        return connection
    return connection.for_company(_chosen(list(connection.companies.list(limit=100)), company).company_id)


def connect_as(company: str | None) -> Ecosystem:
    """As the operator: for `company` where one is named, else for whom the operator is, the platform itself too."""
    return connect() if company is None else connect_for(company)


def _chosen(companies: list[Company], wanted: str | None) -> Company:
    if wanted is not None:
        found = [company for company in companies if wanted in (company.company_id, company.name)]
        if len(found) == 1:
            return found[0]
        problem = "Several companies have" if found else "No company has"
        raise CompanyUnclear(f"{problem} the id or name {wanted}.", suggestion="eco company list")
    if not companies:
        raise CompanyUnclear("There is no company yet.", suggestion="eco company create NAME")
    if len(companies) > 1:
        raise CompanyUnclear(
            f"There are {len(companies)} companies.", suggestion="add --company ID; eco company list shows them"
        )
    return companies[0]


def company_of_token(token: str) -> str | None:
    """The company that an access token speaks for, read without verification: the platform verifies, we only look."""
    with suppress(IndexError, ValueError, binascii.Error):
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return str(claims["company_id"]) if claims.get("company_id") else None
    return None
