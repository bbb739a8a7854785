"""One Envoy for the tests of the gateway, with two instances of creditx behind it."""

from collections.abc import AsyncIterator

import pytest

from tests.services.gateway.envoys import RunningEdge, an_edge, answers
from tests.support import engines


@pytest.fixture(scope="session")
async def shared_edge() -> AsyncIterator[RunningEdge]:
    with engines.short_folder("edge") as folder:
        async with an_edge(folder) as edge:
            for name, service in (("a", "creditx-service"), ("b", "creditx-service"), ("authn", "authn-service")):
                await edge.upstream(service, name)
            yield edge


@pytest.fixture
async def edge(shared_edge: RunningEdge) -> RunningEdge:
    for upstream in shared_edge.upstreams.values():
        upstream.seen.clear()
        upstream.status, upstream.healthy, upstream.reset_first = 200, True, 0
        upstream.headers.clear()
    shared_edge.send_to("authn-service", "authn")
    shared_edge.send_to("creditx-service", "a", "b")
    await answers(shared_edge, "/v1/documents", 200, shared_edge.token())
    await answers(shared_edge, "/oauth/token", 200)
    for upstream in shared_edge.upstreams.values():
        upstream.seen.clear()
    return shared_edge
