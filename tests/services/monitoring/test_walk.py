"""Goal: no route forgets who asks. Method: walk all routes of the service, not a list of them."""

from uuid import UUID

from fastapi.routing import APIRoute

from ecosystem.contracts.authn import SCOPES
from ecosystem.kernel.http.principal import Principal, Requires
from ecosystem.kernel.testing.harness import ServiceHarness

OPEN = {"/v1/status", "/v1/oncall/link"}


async def test_every_route_but_those_for_everybody_needs_a_token_and_its_scope(monitoring: ServiceHarness) -> None:
    routes = [
        (method, route)
        for router in monitoring.service.routers
        for route in router.routes
        if isinstance(route, APIRoute) and route.path not in OPEN
        for method in sorted(route.methods or ())
    ]
    wrong = []
    for method, route in routes:
        asked = [one.call for one in route.dependant.dependencies if isinstance(one.call, Requires)]
        needed = {scope for one in asked for scope in one.scopes}
        assert needed, f"{method} {route.path} asks for no scope"
        ids = dict.fromkeys(("event_id", "page_id", "notification_id"), UUID(int=1))
        path = route.path.format_map(dict.fromkeys(("incident", "chain", "name"), "1") | ids)
        nobody = await monitoring.client().request(method, path)
        weak = monitoring.client(Principal("weak", None, SCOPES - needed))
        without = await weak.request(method, path)
        if (nobody.status_code, without.status_code, without.json()["code"]) != (401, 403, "scope_missing"):
            wrong.append((method, route.path, nobody.status_code, without.text))

    assert wrong == []
    assert len(routes) >= 11
