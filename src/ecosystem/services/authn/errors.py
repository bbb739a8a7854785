"""Broken rules of authn; those of `POST /oauth/token` have the form of RFC 6749 section 5.2."""

from typing import ClassVar

from ecosystem.kernel.errors import Conflict, EcosystemError, Forbidden, Invalid, Kind, NotFound, Severity


class CompanyNotFound(NotFound):
    rule = "There is no such company here."


class ClientNotFound(NotFound):
    rule = "There is no such client here."


class FieldRefused(Invalid):
    """`field` and `broken` say which rule; the value itself is never repeated."""

    code = "request_invalid"

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}", errors=[{"field": field, "rule": "refused", "message": rule}])


class RoleRefused(Forbidden):
    code = "role_refused"
    rule = "Nobody may give, renew or take away more than it has itself."
    suggestion = "Use a token with the scopes of the role, or ask an administrator who has them."


class LastAdministrator(Conflict):
    code = "last_administrator"
    rule = "The platform keeps at least one administrator."
    suggestion = "Create another platform administrator first."


class ClientRevokedAlready(Conflict):
    code = "client_revoked"
    rule = "A revoked client gets no new secret."
    suggestion = "Create a new client."


class CreationSpent(Conflict):
    """`details`: `client_id`, of the client that was created under the key."""

    code = "idempotency_key_spent"
    rule = "An answer with a secret is repeated for a limited time, and while that secret works."
    suggestion = "Give the client a new secret: POST /v1/clients/{client_id}/rotate-secret."


class CredentialRefused(EcosystemError):
    code, status, kind, severity = "credential_refused", 401, Kind.PERMANENT, Severity.HIGH
    rule = "The one-time credential is wrong or was used before."
    suggestion = "Use the credential file of this home, or log in as a client that exists."


class TooManyFailures(EcosystemError):
    code, status, kind, severity = "too_many_failures", 429, Kind.TRANSIENT, Severity.HIGH
    rule = "Too many wrong credentials are being answered at once."
    suggestion = "Wait some seconds and try again with the right credentials."


class OAuthError(EcosystemError):
    """`error` is a code of RFC 6749 section 5.2."""

    kind, severity, status = Kind.PERMANENT, Severity.LOW, 400
    error: ClassVar[str] = "invalid_request"
    code = "invalid_request"
    rule = "The request lacks a parameter, repeats one, or has one in a wrong form."


class InvalidClient(OAuthError):
    error, code, status, severity = "invalid_client", "invalid_client", 401, Severity.MEDIUM
    rule = "The client's credentials are not right."


class UnsupportedGrantType(OAuthError):
    error, code = "unsupported_grant_type", "unsupported_grant_type"
    rule = "grant_type is client_credentials."


class InvalidScope(OAuthError):
    error, code = "invalid_scope", "invalid_scope"
    rule = "The client does not have every scope that was asked for."


class UnauthorizedClient(OAuthError):
    error, code = "unauthorized_client", "unauthorized_client"
    rule = "Only platform administrators may ask for a token of a company."
