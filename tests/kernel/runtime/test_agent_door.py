"""Goal: clients ask agents by HTTP under the same rules. Method: the small service, and one that forwards to it."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from ecosystem.kernel.agent.card import AgentType
from ecosystem.kernel.agent.host import AgentHost
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.kernel.testing.twins import a_principal
from tests.kernel.runtime.conftest import SmallHarness
from tests.kernel.runtime.small import ASKING, COMPANY, OTHER

PARTNER = frozenset({"partner-agent"})
ASKED: dict[str, Any] = {
    "request_id": "r1", "from_agent_id": "partner-agent", "to_agent_id": "small-agent", "request_type": "measure",
    "payload": {"text_id": "four"},
}  # fmt: skip
NOTE = ASKED | {"request_type": "note", "payload": {"note_id": str(UUID(int=1))}}


@pytest.fixture
def amy(small: SmallHarness) -> httpx.AsyncClient:
    return small.hosted.client(a_principal(COMPANY, "agents:call", agents=PARTNER))


async def post(client: httpx.AsyncClient, body: dict[str, Any]) -> httpx.Response:
    return await client.post("/agent/handle", json=body)


async def test_the_answer_has_exactly_these_fields(amy: httpx.AsyncClient) -> None:
    answer = await post(amy, ASKED)

    body = answer.json()
    assert answer.status_code == 200
    assert body.pop("execution_time_ms") >= 0
    assert body.pop("timestamp").endswith("Z")
    assert body == {"request_id": "r1", "status": "success", "result": {"length": 4}, "error": None}


async def test_a_failure_has_the_same_fields_and_its_text(amy: httpx.AsyncClient) -> None:
    answer = await post(amy, ASKED | {"payload": {}})

    assert answer.status_code == 422
    assert set(answer.json()) == {"request_id", "status", "result", "error", "execution_time_ms", "timestamp"}
    assert (answer.json()["status"], answer.json()["result"]) == ("failure", None)
    assert "text_id: Field required" in answer.json()["error"]


async def test_a_missing_request_id_follows_from_caller_and_content(
    small: SmallHarness, amy: httpx.AsyncClient
) -> None:
    body = {name: value for name, value in NOTE.items() if name != "request_id"}
    bob = small.hosted.client(a_principal(OTHER, "agents:call", client_id="client-2", agents=PARTNER))

    first, again, other = await post(amy, body), await post(amy, body), await post(bob, body)

    assert first.json()["request_id"] == again.json()["request_id"] != other.json()["request_id"]
    assert first.json()["result"] == again.json()["result"]
    assert [row[2] for row in small.harness.events("note_taken")] == [COMPANY, OTHER]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"from_agent_id": "asking-agent"}, 403),
        ({"to_agent_id": "nobody"}, 404),
        ({"request_type": "guess"}, 422),
        ({"company_id": str(OTHER)}, 422),
        ({"timeout_ms": 0}, 422),
        ({"payload": []}, 422),
        ({"from_agent_id": "x' or '1'='1"}, 403),
    ],
)
async def test_a_bad_request_is_refused(amy: httpx.AsyncClient, changes: dict[str, Any], status: int) -> None:
    assert (await post(amy, ASKED | changes)).status_code == status


async def test_the_scope_is_needed(small: SmallHarness) -> None:
    refused = await post(small.hosted.client(a_principal(COMPANY, "things:read", agents=PARTNER)), ASKED)

    assert (refused.status_code, refused.json()["scopes"]) == (403, ["agents:call"])


class TestForwarding:
    @pytest.fixture
    async def edge(self, small: SmallHarness) -> httpx.AsyncClient:
        """The door of a service that carries workflows and hosts none of the agents asked here."""

        def build(kernel: Kernel) -> Service:
            workflow = ASKING.model_copy(update={"type": AgentType.WORKFLOW})
            return Service("postgres-service", agents=(AgentHost(workflow, {}),))

        hosted = await small.harness.service(build, "postgres-service", "postgres")
        return hosted.client(a_principal(COMPANY, "agents:call", agents=PARTNER))

    async def test_it_reaches_the_agent_in_the_clients_name(self, small: SmallHarness, edge: httpx.AsyncClient) -> None:
        first, again = await post(edge, NOTE), await post(edge, NOTE)

        assert first.json()["status"] == "success"
        assert again.json()["result"] == first.json()["result"]
        assert [row[2] for row in small.harness.events("note_taken")] == [COMPANY]

    async def test_the_agents_refusal_comes_back(self, edge: httpx.AsyncClient) -> None:
        answer = await post(edge, ASKED | {"payload": {"colour": 1}})

        assert (answer.status_code, answer.json()["status"]) == (422, "failure")
        assert "colour: Extra inputs" in answer.json()["error"]

    async def test_the_policy_holds_before_anything_is_sent(self, small: SmallHarness, edge: httpx.AsyncClient) -> None:
        answer = await post(edge, ASKED | {"from_agent_id": "asking-agent"})

        assert answer.status_code == 403
        assert small.small.handled == []
