"""The doors for HTTP: companies, clients, and OAuth 2 as RFC 6749, 7517 and 8414 have it."""

import base64
import binascii
from typing import Annotated, Any
from urllib.parse import unquote_plus
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from ecosystem.contracts.authn import ISSUER, SCOPES
from ecosystem.kernel.http.admission import Priority, priority
from ecosystem.kernel.http.idempotency import REPLAYED, IdempotencyKey, checked_key
from ecosystem.kernel.http.pagination import Cursor, Limit, Page, moment, page_of, read_cursor, text
from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.services.authn.errors import ClientNotFound, InvalidClient, OAuthError
from ecosystem.services.authn.model import Client
from ecosystem.services.authn.schemas import (
    ClientAsked,
    ClientShown,
    ClientWithSecret,
    CompanyAsked,
    CompanyShown,
    FirstAsked,
    FirstShown,
    TokenAsked,
    TokenGiven,
    TokenRefused,
)
from ecosystem.services.authn.service import ClientService, CompanyService, FirstAdministrator, Issued
from ecosystem.services.authn.tokens.issuing import GRANT, TokenService
from ecosystem.services.authn.tokens.keys import SigningKeys

CompanyReader = Annotated[Principal, Depends(requires("companies:read"))]
CompanyWriter = Annotated[Principal, Depends(requires("companies:write"))]
ClientReader = Annotated[Principal, Depends(requires("clients:read"))]
ClientWriter = Annotated[Principal, Depends(requires("clients:write"))]
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_PARAMETERS = frozenset(TokenAsked.model_fields)
_FORM_BYTES_MAX = 16_384
_TOKEN_FORM: dict[str, Any] = {
    "requestBody": {"required": True, "content": {
        "application/x-www-form-urlencoded": {"schema": TokenAsked.model_json_schema()},
    }},
    "security": [{"basic": []}, {}],
}  # fmt: skip
_TOKEN_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": TokenGiven}, 400: {"model": TokenRefused}, 401: {"model": TokenRefused},
}  # fmt: skip


def company_router(service: CompanyService) -> APIRouter:
    routes = APIRouter(tags=["companies"])

    @routes.post("/v1/companies", status_code=201)
    async def create_company(
        asked: CompanyAsked, caller: CompanyWriter, response: Response, idempotency_key: IdempotencyKey = None
    ) -> CompanyShown:
        founded = await service.create(caller, checked_key(idempotency_key), **asked.model_dump())
        response.headers.update(REPLAYED if founded.replayed else {})
        return CompanyShown.model_validate(founded.company)

    @routes.get("/v1/companies")
    async def list_companies(caller: CompanyReader, limit: Limit = 50, cursor: Cursor = None) -> Page[CompanyShown]:
        """Newest first: all for the platform's administrators, otherwise the caller's own."""
        found = await service.page(caller, read_cursor(cursor, moment, UUID), limit + 1)
        items, following = page_of(found, limit, lambda one: (one.created_at, one.company_id))
        return Page(items=[CompanyShown.model_validate(one) for one in items], next_cursor=following)

    @routes.get("/v1/companies/{company_id}")
    async def show_company(company_id: UUID, caller: CompanyReader) -> CompanyShown:
        return CompanyShown.model_validate(await service.show(caller, company_id))

    return routes


def client_router(service: ClientService) -> APIRouter:
    routes = APIRouter(tags=["clients"])

    @routes.post("/v1/clients", status_code=201)
    async def create_client(
        asked: ClientAsked, caller: ClientWriter, response: Response, idempotency_key: IdempotencyKey = None
    ) -> ClientWithSecret:
        """The secret is in this answer and nowhere else; the same request under the same key is answered with it again
        for a day at most."""
        issued = await service.create(caller, checked_key(idempotency_key), **asked.model_dump())
        response.headers.update({**_NO_STORE, **(REPLAYED if issued.replayed else {})})
        return _with_secret(issued)

    @routes.get("/v1/clients")
    async def list_clients(
        caller: ClientReader, company_id: Annotated[UUID | None, Query()] = None, limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[ClientShown]:  # fmt: skip
        """Newest first; `company_id` is for the platform's administrators."""
        found = await service.page(caller, company_id, read_cursor(cursor, moment, text), limit + 1)
        items, following = page_of(found, limit, lambda one: (one.created_at, one.client_id))
        return Page(items=[_shown(one) for one in items], next_cursor=following)

    @routes.get("/v1/clients/{client_id}")
    async def show_client(client_id: str, caller: ClientReader) -> ClientShown:
        return _shown(await service.show(caller, _id(client_id)))

    @routes.post("/v1/clients/{client_id}/rotate-secret")
    async def rotate_secret(client_id: str, caller: ClientWriter) -> ClientWithSecret:
        """A new secret; the former one works until `former_secret_until`."""
        return _with_secret(await service.rotate(caller, _id(client_id)))

    @routes.delete("/v1/clients/{client_id}")
    async def revoke_client(client_id: str, caller: ClientWriter) -> ClientShown:
        return _shown(await service.revoke(caller, _id(client_id)))

    return routes


def oauth_router(tokens: TokenService, keys: SigningKeys, first: FirstAdministrator) -> APIRouter:
    """The routes that need no token: each asks for something else instead, or shows what everybody may know."""
    routes = APIRouter(tags=["tokens"])

    @routes.post("/v1/first-administrator", status_code=201)
    async def claim_first_administrator(asked: FirstAsked, response: Response) -> FirstShown:
        issued = await first.claim(asked.credential)
        response.headers.update(_NO_STORE)
        return FirstShown(client_id=issued.client.client_id, client_secret=issued.secret)

    @routes.post("/oauth/token", response_model=None, openapi_extra=_TOKEN_FORM, responses=_TOKEN_ANSWERS)
    @priority(Priority.URGENT)
    async def token(request: Request) -> Response:
        """RFC 6749 section 4.4: form with grant_type=client_credentials, optional scope and company_id."""
        try:
            form = await _form(request)
            client_id, secret = _credentials(request.headers.get("authorization"), form)
            issued = await tokens.issue(client_id, secret, form)
        except OAuthError as error:
            return _refusal(error)
        given = TokenGiven(
            access_token=issued.access_token, token_type="Bearer", expires_in=issued.expires_in,  # noqa: S106
            scope=issued.scope,
        )  # fmt: skip
        return _json(given.model_dump(), 200, _NO_STORE)

    @routes.get("/.well-known/jwks.json", response_model=None)
    async def jwks() -> Response:
        return _json(await keys.jwks(), 200, {"Cache-Control": "public, max-age=60"})

    @routes.get("/.well-known/oauth-authorization-server", response_model=None)
    async def metadata(request: Request) -> Response:
        """RFC 8414. Addresses are those by which the caller reached us; the issuer is a name, not an address."""
        base = f"https://{request.headers.get('host', 'localhost')}"
        return _json(
            {
                "issuer": ISSUER, "token_endpoint": f"{base}/oauth/token", "jwks_uri": f"{base}/.well-known/jwks.json",
                "grant_types_supported": [GRANT], "response_types_supported": [],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "scopes_supported": sorted(SCOPES),
            }, 200, {"Cache-Control": "public, max-age=300"},
        )  # fmt: skip

    return routes


async def _form(request: Request) -> dict[str, str]:
    """Raises OAuthError: no form, a repeated parameter, one that is no text or that nobody knows."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise OAuthError("The body is application/x-www-form-urlencoded.")
    if len(await request.body()) > _FORM_BYTES_MAX:
        raise OAuthError(f"The form is larger than {_FORM_BYTES_MAX} bytes.")
    found: dict[str, str] = {}
    for name, value in (await request.form()).multi_items():
        if name not in _PARAMETERS:
            continue  # RFC 6749 section 3.2: unrecognised parameters are ignored
        if name in found or not isinstance(value, str):
            raise OAuthError(f"{name} stands in the form more than once.")
        if value:
            found[name] = value
    return found


def _credentials(authorization: str | None, form: dict[str, str]) -> tuple[str, str]:
    """From the header or from the form, never from both. Raises OAuthError, InvalidClient."""
    if not authorization:
        if "client_id" not in form or "client_secret" not in form:
            raise InvalidClient("The client shows no credentials.")
        return form["client_id"], form["client_secret"]
    if "client_secret" in form:
        raise OAuthError("Credentials stand in the header or in the form, not in both.")
    scheme, _, encoded = authorization.partition(" ")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidClient("The Authorization header is not Basic.") from None
    client_id, colon, secret = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise InvalidClient("The Authorization header is not Basic.")
    client_id, secret = unquote_plus(client_id), unquote_plus(secret)
    if form.get("client_id", client_id) != client_id:
        raise OAuthError("client_id in the form is another than in the header.")
    return client_id, secret


def _refusal(error: OAuthError) -> Response:
    headers = dict(_NO_STORE)
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="ecosystem", charset="UTF-8"'
    refused = TokenRefused(error=error.error, error_description=error.message)
    return _json(refused.model_dump(), error.status, headers)


def _json(body: object, status: int, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(body), status_code=status, headers=headers, media_type="application/json")


def _shown(client: Client) -> ClientShown:
    return ClientShown(
        client_id=client.client_id, name=client.name, company_id=client.of_company, roles=list(client.roles),
        agents=list(client.agents), status=client.status, created_at=client.created_at, revoked_at=client.revoked_at,
    )  # fmt: skip


def _with_secret(issued: Issued) -> ClientWithSecret:
    shown = _shown(issued.client).model_dump()
    return ClientWithSecret(**shown, client_secret=issued.secret, former_secret_until=issued.former_until)


def _id(client_id: str) -> str:
    if not client_id.startswith("client-") or len(client_id) > 100 or "\x00" in client_id:
        raise ClientNotFound
    return client_id
