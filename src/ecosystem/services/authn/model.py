"""Companies, clients, secrets and signing keys as values, and the rules about them. Nothing here does anything."""

import hmac
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from babel import Locale, UnknownLocaleError, localedata
from babel.numbers import list_currencies

from ecosystem.contracts.authn import ROLES
from ecosystem.kernel.keys.keyring import PLATFORM
from ecosystem.services.authn.errors import FieldRefused, RoleRefused

ADMINISTRATOR = "platform-administrator"

# Read with the code: a service that gave up root may not reach the files of a library any more.
_CURRENCIES = frozenset(list_currencies())
localedata.locale_identifiers()


@dataclass(frozen=True)
class Company:
    company_id: UUID
    name: str
    region: str
    time_zone: str
    locale: str
    currency: str
    created_at: datetime


@dataclass(frozen=True)
class Client:
    """`company_id` is PLATFORM for the platform's own clients."""

    company_id: UUID
    client_id: str
    name: str
    roles: tuple[str, ...]
    agents: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None

    @property
    def scopes(self) -> frozenset[str]:
        return scopes_of(self.roles)

    @property
    def of_company(self) -> UUID | None:
        return None if self.company_id == PLATFORM else self.company_id

    @property
    def status(self) -> str:
        return "active" if self.revoked_at is None else "revoked"


@dataclass(frozen=True)
class Creation:
    """What an Idempotency-Key stands for. `company_id` and `client_id` are of who asked; `made_id` came of it."""

    company_id: UUID
    client_id: str
    key_digest: bytes
    fingerprint: bytes
    made_id: str
    made_at: datetime


@dataclass(frozen=True)
class SigningKey:
    key_id: str
    public: dict[str, Any]
    private_sealed: bytes
    created_at: datetime
    signs_from: datetime


@dataclass(frozen=True)
class Rotation:
    """`lead`: published before it signs. `life`: published after its last token, until none of them is valid."""

    period: timedelta
    lead: timedelta
    life: timedelta

    def signer(self, keys: Sequence[SigningKey], now: datetime) -> SigningKey | None:
        return max((key for key in keys if key.signs_from <= now), key=_begin, default=None)

    def published(self, keys: Iterable[SigningKey], now: datetime) -> list[SigningKey]:
        """Those in use, those to come, and those whose last token may still be valid; oldest first."""
        ordered = sorted(keys, key=_begin)
        if not ordered:
            return []
        following = [*(key.signs_from for key in ordered[1:]), None]
        return [
            key for key, end in zip(ordered, following, strict=True) if end is None or end + self.life > now
        ]  # fmt: skip

    def next_signs_from(self, keys: Sequence[SigningKey], now: datetime) -> datetime | None:
        """When a key that must be made now would begin to sign; None while none is due."""
        if not keys:
            return now
        due = max(keys, key=_begin).signs_from + self.period
        if now < due - self.lead:
            return None
        # Late (the platform was off): it still has to be known everywhere before it signs.
        return max(due, now + self.lead)


def _begin(key: SigningKey) -> datetime:
    return key.signs_from


def scopes_of(roles: Iterable[str]) -> frozenset[str]:
    return frozenset().union(*(ROLES.get(role, frozenset()) for role in roles))


def check_grant(giver: frozenset[str], roles: Iterable[str]) -> None:
    """Raises RoleRefused where one of `roles` has a scope that `giver` lacks, as a narrowed token may."""
    if not scopes_of(roles) <= giver:
        raise RoleRefused


def check_roles(roles: Sequence[str], company_id: UUID | None) -> tuple[str, ...]:
    """Raises FieldRefused: unknown roles, or a role of the platform in a company (and the reverse)."""
    unknown = [role for role in roles if role not in ROLES]
    if unknown or not roles:
        raise FieldRefused("roles", f"at least one of {', '.join(sorted(ROLES))}.")
    if (company_id is None) != (ADMINISTRATOR in roles) or (company_id is None and len(set(roles)) > 1):
        raise FieldRefused("roles", f"{ADMINISTRATOR} is for clients of the platform, the other roles of a company.")
    return tuple(sorted(set(roles)))


def check_name(name: str) -> str:
    """NFC, without outer spaces. Raises FieldRefused."""
    clean = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(clean) <= 200 or any(unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co") for sign in clean):
        raise FieldRefused("name", "1 to 200 characters, none of them invisible.")
    return clean


def check_region(region: str, regions: Sequence[str]) -> str:
    if region not in regions:
        raise FieldRefused("region", f"one of {', '.join(regions)}.")
    return region


def check_time_zone(name: str) -> str:
    if name not in _zones():
        raise FieldRefused("time_zone", "a name of the IANA time zone database, such as Europe/Zurich.")
    return name


def check_locale(name: str) -> str:
    """`de-CH` and `de_CH` become `de_CH`."""
    try:
        return str(Locale.parse(name.replace("-", "_")))
    except (UnknownLocaleError, ValueError, TypeError):
        raise FieldRefused("locale", "a language, with a country where it matters, such as en_GB.") from None


def check_currency(code: str) -> str:
    if code not in _CURRENCIES:
        raise FieldRefused("currency", "a code of ISO 4217, such as CHF.")
    return code


@cache
def _zones() -> frozenset[str]:
    return frozenset(name for name in available_timezones() if "/" in name or name == "UTC")


def matches(digest: bytes, known: Iterable[bytes]) -> bool:
    """Compares with every one, each in constant time."""
    found = False
    for candidate in known:
        found |= hmac.compare_digest(digest, candidate)
    return found
