"""Who calls, proved by a token, and what a route asks of it."""

from dataclasses import dataclass
from uuid import UUID

from fastapi import Request

from ecosystem.kernel.errors import EcosystemError, Kind, Severity, Unauthenticated


@dataclass(frozen=True)
class Principal:
    """A client as its token describes it. `company_id` is None for the platform's own administrators.

    `agents` are the agent ids it may speak as on `POST /agent/handle`.
    """

    client_id: str
    company_id: UUID | None
    scopes: frozenset[str]
    roles: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()


class ScopeMissing(EcosystemError):
    code, status, kind, severity = "scope_missing", 403, Kind.PERMANENT, Severity.MEDIUM
    rule = "The token lacks a scope that this route needs."
    suggestion = "Ask the company's administrator for a client with a role that has this scope."


class CompanyMissing(EcosystemError):
    code, status, kind, severity = "company_missing", 403, Kind.PERMANENT, Severity.LOW
    rule = "This route works for one company, and the token names none."
    suggestion = "Ask POST /oauth/token for a token with `company_id`."


class Requires:
    """A FastAPI dependency; `scopes` can be read by whoever walks the routes."""

    def __init__(self, scopes: tuple[str, ...], *, company: bool) -> None:
        self.scopes, self.company = scopes, company

    async def __call__(self, request: Request) -> Principal:
        principal = request.scope.get("principal")
        if not isinstance(principal, Principal):
            raise Unauthenticated
        missing = [scope for scope in self.scopes if scope not in principal.scopes]
        if missing:
            raise ScopeMissing(f"The token lacks the scope {', '.join(missing)}.", scopes=missing)
        if self.company and principal.company_id is None:
            raise CompanyMissing
        return principal


def requires(*scopes: str, company: bool = False) -> Requires:
    """`principal: Annotated[Principal, Depends(requires("documents:write", company=True))]`.

    A call without a valid token is refused with `unauthenticated` (401), one without a scope with `scope_missing`
    (403) naming it; with `company=True` a token that names no company is refused with `company_missing` (403).
    """
    return Requires(scopes, company=company)
