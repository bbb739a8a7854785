"""Goal: no route forgets who asks or whose it is. Method: walk all routes of the service, not a list of them."""

from typing import Any
from uuid import UUID, uuid4

from fastapi.routing import APIRoute
from sqlalchemy import text

from ecosystem.contracts.authn import PREFIXES, SCOPES
from ecosystem.kernel.http.principal import Principal, Requires
from tests.services.authn.conftest import COMPANY, Authn

OPEN = {
    "/v1/first-administrator", "/oauth/token", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server",
}  # fmt: skip
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/companies"): COMPANY,
    ("POST", "/v1/clients"): {"name": "x", "roles": ["analyst"]},
}


def routes(authn: Authn) -> list[tuple[str, APIRoute]]:
    found = [
        (method, route)
        for router in authn.running.service.routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]
    assert len(found) == 12
    return found


def scopes_of(route: APIRoute) -> tuple[str, ...]:
    asked = [one.call for one in route.dependant.dependencies if isinstance(one.call, Requires)]
    return tuple(scope for one in asked for scope in one.scopes)


async def test_every_route_needs_a_token_and_its_scope(authn: Authn) -> None:
    wrong = []
    for method, route in routes(authn):
        if route.path in OPEN:
            continue
        needed = scopes_of(route)
        assert needed, f"{method} {route.path} asks for no scope"
        path = route.path.format(company_id=uuid4(), client_id="client-x")
        weak = Principal("client-weak", None, SCOPES - set(needed), frozenset())
        body = BODIES.get((method, route.path))
        nobody = await authn.anyone().request(method, path, json=body)
        without = await authn.running.client(weak).request(method, path, json=body)
        if (nobody.status_code, without.status_code, without.json()["code"]) != (401, 403, "scope_missing"):
            wrong.append((method, route.path, nobody.status_code, without.text))

    assert wrong == []
    assert authn.harness.platform.rows("select 1 from authn.companies union all select 1 from authn.clients") == []


async def test_every_id_of_another_company_is_not_found_like_one_that_never_was(authn: Authn) -> None:
    own, other = (await authn.company())["company_id"], (await authn.company(name="Beta"))["company_id"]
    client = await authn.made_client(other)
    before = authn.harness.platform.rows("select row_to_json(c)::text from authn.clients c")
    member, seen = authn.member(UUID(own)), []
    strong = authn.administrator(company_id=UUID(own))
    for method, route in routes(authn):
        if "{" not in route.path:
            continue
        foreign = route.path.format(company_id=other, client_id=client["client_id"])
        absent = route.path.format(company_id=uuid4(), client_id=f"client-{uuid4()}")
        malformed = route.path.format(company_id=uuid4(), client_id="%00'--")
        for caller in (member, strong):
            answers = [await caller.request(method, path) for path in (foreign, absent, malformed)]
            seen.append({(one.status_code, one.json()["code"], one.json()["detail"]) for one in answers})

    assert len(seen) == 8
    assert {(found[0][:2], len(found)) for found in map(list, seen)} == {((404, "not_found"), 1)}
    assert authn.harness.platform.rows("select row_to_json(c)::text from authn.clients c") == before
    assert (await authn.token(client)).status_code == 200


async def test_lists_show_the_callers_own_only(authn: Authn) -> None:
    own, other = (await authn.company())["company_id"], (await authn.company(name="Beta"))["company_id"]
    await authn.made_client(other)
    member = authn.member(UUID(own))

    companies = (await member.get("/v1/companies")).json()["items"]
    clients = (await member.get("/v1/clients")).json()["items"]

    assert ([one["company_id"] for one in companies], clients) == ([own], [])


async def test_every_route_lies_under_a_public_prefix(authn: Authn) -> None:
    outside = [route.path for _, route in routes(authn) if not route.path.startswith(PREFIXES)]

    assert outside == []


async def test_the_fence_hides_the_rows_of_others_from_the_services_own_role(authn: Authn) -> None:
    company = (await authn.company())["company_id"]
    await authn.made_client(company)
    database = authn.running.kernel.database

    async def count() -> list[int]:
        tables = ("companies", "clients", "secrets")
        return [
            (await database.session.execute(text(f"select count(*) from {table}"))).scalar_one() for table in tables
        ]

    assert await database.read(count) == [0, 0, 0]
