"""Twins of what lies outside a process: keys of authn-service, the registry, an identity."""

from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from joserfc.jwk import ECKey

from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.http.tokens import TokenInvalid, TokenVerifier
from ecosystem.kernel.identity.authority import Authority
from ecosystem.kernel.identity.identity import Identity, write_atomically
from ecosystem.kernel.identity.settings import IdentitySettings


class MemoryKeys:
    """A key source that knows what it was given."""

    def __init__(self, **keys: ECKey) -> None:
        self.keys = dict(keys)

    async def key(self, key_id: str) -> ECKey | None:
        return self.keys.get(key_id)


class NamedPrincipals(TokenVerifier):
    """Takes a token for the name of a principal: `Authorization: Bearer amy`."""

    def __init__(self) -> None:
        super().__init__(MemoryKeys())
        self.principals: dict[str, Principal] = {}

    async def verify(self, token: str) -> Principal:
        try:
            return self.principals[token]
        except KeyError:
            raise TokenInvalid from None


@dataclass(frozen=True)
class MemoryInstance:
    """What callers need to know of an instance."""

    instance_id: object
    host: str = "127.0.0.1"
    http_port: int = 0
    grpc_port: int = 0
    weight: int = 100
    state: str = "ready"


@dataclass
class MemoryRegistry:
    known: dict[str, list[MemoryInstance]] = field(default_factory=dict)

    def instances(self, service: str) -> list[MemoryInstance]:
        return self.known.get(service, [])


def an_identity(authority: Authority, folder: Path, name: str, *, hours: float = 1) -> Identity:
    """An identity of `authority` whose files lie in `folder` as `<name>.pem` and `ca.pem`."""
    write_atomically(folder / f"{name}.pem", authority.issue(name, hours=hours))
    write_atomically(folder / "ca.pem", authority.bundle())
    return Identity(IdentitySettings(pem_file=folder / f"{name}.pem", ca_file=folder / "ca.pem", watch_seconds=0.05))


def a_principal(
    company_id: UUID | None, *scopes: str, client_id: str = "client-1", agents: frozenset[str] = frozenset()
) -> Principal:
    return Principal(client_id, company_id, frozenset(scopes), frozenset(), agents)
