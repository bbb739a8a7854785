"""Goal: only a token of this platform opens a door. Method: real signatures, each forgery a case."""

import base64
import hashlib
import hmac
from typing import Any
from uuid import UUID

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from ecosystem.kernel.errors import EcosystemError
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.http.tokens import TokenExpired, TokenInvalid, TokenVerifier
from ecosystem.kernel.testing.clock import FrozenClock
from ecosystem.kernel.testing.twins import MemoryKeys

OURS, THEIRS = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
COMPANY = UUID("00000000-0000-7000-8000-00000000000a")
CLOCK = FrozenClock()
NOW = int(CLOCK.now().timestamp())
CLAIMS: dict[str, Any] = {
    "iss": "https://ecosystem.internal", "aud": "ecosystem", "sub": "client-1", "company_id": str(COMPANY),
    "scope": "documents:read documents:write", "roles": ["analyst"], "agents": ["asking-agent"],
    "iat": NOW, "exp": NOW + 600, "jti": "1",
}  # fmt: skip


def a_token(key: ECKey = OURS, header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    return jwt.encode({"alg": "ES256", "kid": "k1"} | (header or {}), claims, key)


def by_hand(header: dict[str, Any], signature: bytes = b"") -> str:
    parts = [orjson.dumps(header), orjson.dumps(CLAIMS), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def signed_with_the_public_key() -> str:
    """The classic confusion: HMAC with the public key as its secret."""
    unsigned = by_hand({"alg": "HS256", "kid": "k1"}).rpartition(".")[0]
    mac = hmac.new(OURS.as_pem(private=False), unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier(MemoryKeys(k1=OURS), clock=FrozenClock())


async def test_a_good_token_names_its_principal(verifier: TokenVerifier) -> None:
    principal = await verifier.verify(a_token())

    scopes = frozenset({"documents:read", "documents:write"})
    assert principal == Principal("client-1", COMPANY, scopes, frozenset({"analyst"}), frozenset({"asking-agent"}))


async def test_a_token_of_the_platform_names_no_company(verifier: TokenVerifier) -> None:
    assert (await verifier.verify(a_token(company_id=None))).company_id is None


FORGED = {
    "signed by another key": a_token(THEIRS),
    "unknown key": a_token(header={"kid": "k2"}),
    "no key named": by_hand({"alg": "ES256"}),
    "alg none": by_hand({"alg": "none", "kid": "k1"}),
    "alg None": by_hand({"alg": "None", "kid": "k1"}),
    "public key as HMAC secret": signed_with_the_public_key(),
    "signature cut off": a_token().rpartition(".")[0] + ".",
    "claims changed": ".".join([a_token().split(".")[0], by_hand({}).split(".")[1] + "A", a_token().split(".")[2]]),
    "other audience": a_token(aud="elsewhere"),
    "no audience": a_token(aud=None),
    "other issuer": a_token(iss="https://ecosystem.example"),
    "no subject": a_token(sub=None),
    "no expiry": a_token(exp=None),
    "expiry as text": a_token(exp="9999999999"),
    "issued in the future": a_token(iat=NOW + 3600, exp=NOW + 7200),
    "company is no id": a_token(company_id="acme"),
    "company is a number": a_token(company_id=7),
    "critical extension": by_hand({"alg": "ES256", "kid": "k1", "crit": ["b64"]}),
    "not a token": "hello",
    "three empty parts": "..",
    "header is a list": "W10.e30.e30",
    "very long": "a." + "b" * 10_000 + ".c",
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(TokenInvalid) as refused:
        await verifier.verify(token)

    assert refused.value.status == 401


async def test_an_expired_token_is_refused_also_when_it_was_good_before() -> None:
    clock = FrozenClock()
    verifier, token = TokenVerifier(MemoryKeys(k1=OURS), clock=clock), a_token()
    await verifier.verify(token)

    clock.advance(600 + 31)

    with pytest.raises(TokenExpired):
        await verifier.verify(token)
    with pytest.raises(TokenExpired):
        await TokenVerifier(MemoryKeys(k1=OURS), clock=clock).verify(token)


async def test_two_clocks_may_differ_by_the_skew() -> None:
    clock = FrozenClock()
    clock.advance(600 + 29)

    assert await TokenVerifier(MemoryKeys(k1=OURS), clock=clock).verify(a_token())


async def test_a_refusal_says_nothing_of_the_token(verifier: TokenVerifier) -> None:
    token = a_token(aud="elsewhere-secret")
    with pytest.raises(EcosystemError) as refused:
        await verifier.verify(token)

    assert "secret" not in refused.value.message
