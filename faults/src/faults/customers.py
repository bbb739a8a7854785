"""Companies with a program each, which speaks with the platform as their client."""

from dataclasses import dataclass, field

from ecosystem_client import AsyncEcosystem
from ecosystem_client.retry import Retries

_TIMEOUT_SECONDS = 10.0


@dataclass
class Customer:
    """One company's program. `known`: documents that it was promised, by id, with the upload's key.

    `client` repeats nothing; `patient` asks when all is over, directly, and as often as the library does.
    """

    company_id: str
    client: AsyncEcosystem
    patient: AsyncEcosystem
    via: str
    known: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Credentials:
    company_id: str
    client_id: str
    client_secret: str


def customer(who: Credentials, edge_url: str, url: str, ca: str, via: str) -> Customer:
    """`url` is where the program finds the edge: itself, or a wire before it."""
    once, login = Retries(attempts_max=1), (who.client_id, who.client_secret)
    client = AsyncEcosystem(url, *login, ca=ca, timeout_seconds=_TIMEOUT_SECONDS, retries=once)
    return Customer(who.company_id, client, AsyncEcosystem(edge_url, *login, ca=ca), via)
