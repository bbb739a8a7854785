"""Access tokens (JWT, ES256), verified by each service itself against the keys of authn-service."""

import base64
import binascii
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem.kernel.http.principal import Principal

ISSUER, AUDIENCE, ALGORITHM = "https://ecosystem.internal", "ecosystem", "ES256"
_TOKEN_LENGTH_MAX = 8192
_REMEMBERED_MAX = 1024


class TokenInvalid(EcosystemError):
    code, status, kind, severity = "token_invalid", 401, Kind.PERMANENT, Severity.MEDIUM
    rule = "A token is a JWT of this platform, signed with ES256 by a key of its JWKS."
    suggestion = "Get a new token from POST /oauth/token."


class TokenExpired(EcosystemError):
    code, status, kind, severity = "token_expired", 401, Kind.PERMANENT, Severity.LOW
    rule = "A token is used before it expires."
    suggestion = "Get a new token from POST /oauth/token."


class KeySource(Protocol):
    async def key(self, key_id: str) -> ECKey | None:
        """The public key of this id, or None where the platform has none. Raises Unavailable."""


class TokenVerifier:
    """Remembers verified tokens until they expire: the signature is the dear part."""

    def __init__(self, keys: KeySource, *, clock: Clock | None = None, skew_seconds: float = 30) -> None:
        self._keys, self._clock, self._skew = keys, clock or SystemClock(), skew_seconds
        self._remembered: OrderedDict[str, tuple[Principal, float]] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """Raises TokenInvalid, TokenExpired, or Unavailable where the keys cannot be had."""
        now = self._clock.now().timestamp()
        known = self._remembered.get(token)
        if known is not None:
            if now > known[1] + self._skew:
                raise TokenExpired
            return known[0]
        key_id = _key_id(token)
        key = await self._keys.key(key_id)
        if key is None:
            raise TokenInvalid("The token is signed by a key that this platform does not have.")
        try:
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError, TypeError):
            raise TokenInvalid("The token's signature is not right.") from None
        principal, expires_at = self._read(claims, now)
        self._remembered[token] = (principal, expires_at)
        if len(self._remembered) > _REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return principal

    def _read(self, claims: Mapping[str, Any], now: float) -> tuple[Principal, float]:
        audience = claims.get("aud")
        if claims.get("iss") != ISSUER or AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
            raise TokenInvalid("The token is of another issuer or for another audience.")
        expires_at, issued_at, client_id = _number(claims, "exp"), _number(claims, "iat"), claims.get("sub")
        if expires_at is None or issued_at is None or not isinstance(client_id, str) or not client_id:
            raise TokenInvalid("The token lacks one of the claims sub, iat and exp.")
        if now > expires_at + self._skew:
            raise TokenExpired
        if max(issued_at, _number(claims, "nbf") or issued_at) > now + self._skew:
            raise TokenInvalid("The token is of the future.")
        try:
            company = claims.get("company_id")
            company_id = UUID(company) if company is not None else None
            scopes = frozenset(str(claims.get("scope", "")).split())
            roles, agents = (frozenset(map(str, claims.get(name) or ())) for name in ("roles", "agents"))
        except (ValueError, TypeError, AttributeError):
            raise TokenInvalid("A claim of the token has another form than this platform's.") from None
        return Principal(client_id, company_id, scopes, roles, agents), expires_at


def _number(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _key_id(token: str) -> str:
    """`kid` of the header; the algorithm is checked here already, so that `none` and HMAC go no further."""
    if len(token) > _TOKEN_LENGTH_MAX or token.count(".") != 2:
        raise TokenInvalid
    head = token.partition(".")[0]
    try:
        header = orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        raise TokenInvalid from None
    if not isinstance(header, dict) or header.get("alg") != ALGORITHM:
        raise TokenInvalid("The token is not signed with ES256.")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= 200 or "crit" in header:
        raise TokenInvalid("The token does not say which key signed it.")
    return key_id
