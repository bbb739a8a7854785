"""authn-service: companies, clients, tokens and the keys that prove them."""

from uuid import UUID

from ecosystem.kernel.agent.card import AgentCard
from ecosystem.kernel.messaging.event import Event

SERVICE = "authn-service"
PREFIXES = ("/v1/companies", "/v1/clients", "/v1/first-administrator", "/oauth", "/.well-known")
ISSUER = "https://ecosystem.internal"
AUDIENCE = "ecosystem"

ROLES: dict[str, frozenset[str]] = {
    "platform-administrator": frozenset({
        "companies:read", "companies:write", "clients:read", "clients:write", "platform:read", "platform:write",
        "documents:read", "documents:write", "documents:decide", "documents:erase", "runs:read", "runs:write",
        "events:read", "events:replay", "agents:call", "audit:read", "incidents:read", "incidents:write",
        "oncall:read", "oncall:write", "notifications:read", "notifications:write",
    }),
    "company-administrator": frozenset({
        "companies:read", "clients:read", "clients:write", "documents:read", "documents:write", "documents:decide",
        "documents:erase", "runs:read", "runs:write", "events:read", "agents:call", "audit:read", "incidents:read",
        "oncall:read", "oncall:write", "notifications:read", "notifications:write",
    }),
    "analyst": frozenset({
        "documents:read", "documents:write", "documents:decide", "runs:read", "events:read", "incidents:read",
    }),
    "integrator": frozenset({"documents:read", "documents:write", "runs:read", "events:read", "agents:call"}),
    "auditor": frozenset({"documents:read", "runs:read", "events:read", "audit:read", "incidents:read"}),
}  # fmt: skip
SCOPES: frozenset[str] = frozenset().union(*ROLES.values())


class CompanyCreated(Event, event_type="company_created", subject="company_id"):
    company_id: UUID
    region: str
    time_zone: str
    locale: str
    currency: str


class ClientCreated(Event, event_type="client_created", subject="client_id"):
    client_id: str
    roles: tuple[str, ...]


class ClientRevoked(Event, event_type="client_revoked", subject="client_id"):
    client_id: str


class SigningKeyRotated(Event, event_type="signing_key_rotated", subject="key_id"):
    key_id: str


AGENTS: tuple[AgentCard, ...] = ()
EVENTS: tuple[type[Event], ...] = (CompanyCreated, ClientCreated, ClientRevoked, SigningKeyRotated)
