"""Tokens for whoever proves to be a client (RFC 6749 section 4.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from joserfc import jwt

from ecosystem.contracts.authn import AUDIENCE, ISSUER
from ecosystem.kernel import context
from ecosystem.kernel.keys.keyring import PLATFORM
from ecosystem.services.authn.errors import (
    InvalidClient,
    InvalidScope,
    OAuthError,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from ecosystem.services.authn.model import ADMINISTRATOR, Client, matches
from ecosystem.services.authn.tokens.failures import Failures
from ecosystem.services.authn.tokens.keys import Parts, SigningKeys

PURPOSE = "client secret/"
GRANT = "client_credentials"
_ID_MAX, _SECRET_MAX = 100, 200


@dataclass(frozen=True)
class Token:
    access_token: str
    expires_in: int
    scope: str


class TokenService:
    def __init__(self, parts: Parts, keys: SigningKeys, failures: Failures, *, token_seconds: int) -> None:
        self._parts, self._keys, self._failures = parts, keys, failures
        self._token_seconds = token_seconds

    async def issue(self, client_id: str, secret: str, asked: Mapping[str, str]) -> Token:
        """A token for `asked` (grant_type, scope, company_id), whatever of it the client may have.

        Raises:
            OAuthError: one of RFC 6749 section 5.2; a wrong secret and an unknown client are the same.
            TooManyFailures: too many wrong credentials wait for their answer.
        """
        client = await self._prove(client_id, secret)
        if asked.get("grant_type") is None:
            raise OAuthError("grant_type is missing.")
        if asked["grant_type"] != GRANT:
            raise UnsupportedGrantType
        scopes = _scopes(client, asked.get("scope"))
        company_id = await self._company(client, asked.get("company_id"))
        key_id, key = await self._keys.signer()
        now = int(self._parts.clock.now().timestamp())
        claims: dict[str, object] = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": client.client_id, "iat": now, "exp": now + self._token_seconds,
            "jti": str(self._parts.ids.uuid()), "scope": scopes, "roles": list(client.roles),
            "agents": list(client.agents),
        }  # fmt: skip
        if company_id is not None:
            claims["company_id"] = str(company_id)
        token = jwt.encode({"alg": "ES256", "kid": key_id, "typ": "JWT"}, claims, key)
        return Token(token, self._token_seconds, scopes)

    async def _prove(self, client_id: str, secret: str) -> Client:
        """Raises InvalidClient, after a wait that grows."""
        parts = self._parts
        # Ids are ASCII; what else may come here (NUL, half a megabyte) is nobody's, and takes the same way.
        known = client_id if len(client_id) <= _ID_MAX and client_id.isascii() and client_id.isprintable() else ""
        digest = (await parts.keyring.company(PLATFORM)).blind_index(PURPOSE + secret[:_SECRET_MAX])

        async def work() -> tuple[Client | None, list[bytes]]:
            client = await parts.identities.find_client(known)
            async with parts.database.as_company(client.company_id if client else None):
                return client, await parts.identities.digests(known, parts.clock.now())

        with context.scope(company_id=None):
            client, digests = await parts.database.read(work)
        if matches(digest, digests) and client is not None and client.revoked_at is None:
            self._failures.forget(client_id)
            return client
        await self._failures.slow_down(known)
        raise InvalidClient

    async def _company(self, client: Client, asked: str | None) -> UUID | None:
        if asked is None:
            return client.of_company
        try:
            company_id = UUID(asked)
        except ValueError:
            raise OAuthError("company_id is not the id of a company.") from None
        if ADMINISTRATOR not in client.roles:
            if company_id == client.company_id:
                return company_id
            raise UnauthorizedClient
        company = await self._parts.database.read(lambda: self._parts.identities.company(company_id))
        if company is None:
            raise OAuthError("company_id is not the id of a company.")
        return company_id


def _scopes(client: Client, asked: str | None) -> str:
    wanted = client.scopes if asked is None else frozenset(asked.split())
    if not wanted or not wanted <= client.scopes:
        raise InvalidScope
    return " ".join(sorted(wanted))
