"""Goal: runs over HTTP are fenced, refused by name and paged. Method: the whole service behind its real door."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from ecosystem.contracts.index import AGENTS, EVENTS
from ecosystem.contracts.orchestrator import StartRun
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from ecosystem.services.orchestrator.app import build
from tests.kernel.db.fixtures import Platform
from tests.services.orchestrator.harness import COMPANY, INGESTION, OTHER
from tests.support.described import misfit

SERVICE = "orchestrator-agent"
ROUTES = [
    ("GET", "/v1/runs", "runs:read"),
    ("GET", "/v1/runs/{id}", "runs:read"),
    ("GET", "/v1/runs/{id}/story", "runs:read"),
    ("POST", "/v1/runs/{id}/cancel", "runs:write"),
    ("POST", "/v1/runs/{id}/retry", "runs:write"),
    ("GET", "/v1/workflows", "runs:read"),
]


HOSTILE = (
    "limit=0", "limit=999", "state=DONE", "workflow=a'%20or%20'1'='1", "cursor=WzFd", "cursor=%00", "cursor=x",
)  # fmt: skip
MISFITS: list[tuple[dict[str, Any], int]] = [
    ({"workflow": "no_such"}, 404),
    ({"workflow": "../etc"}, 422),
    ({"input": {}}, 422),
    ({"input": {"document_id": "x", "rule_set": "y"}}, 422),
    ({"key": ""}, 422),
    ({"key": "k" * 201}, 422),
    ({"more": 1}, 422),
]


@pytest.fixture
async def service(platform: Platform, tmp_path: Path) -> AsyncIterator[ServiceHarness]:
    """Without workers: what is started waits."""
    async with KernelHarness(platform, tmp_path, ContractIndex(AGENTS, EVENTS)) as harness:
        yield await harness.service(build, SERVICE, "orchestrator", workers=False)


def principal(company: UUID | None, *scopes: str, agents: tuple[str, ...] = ()) -> Principal:
    return Principal(f"client-{company}", company, frozenset(scopes), agents=frozenset(agents))


def reader(service: ServiceHarness, company: UUID | None = COMPANY) -> httpx.AsyncClient:
    return service.client(principal(company, "runs:read", "runs:write"))


async def start(service: ServiceHarness, document_id: UUID | None = None) -> dict[str, Any]:
    """A run, started as a client does: by asking the agent."""
    client = service.client(principal(COMPANY, "agents:call", agents=("an-app",)))
    key = str(document_id or uuid4())
    answer = await client.post("/agent/handle", json=asking(key))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def asking(document_id: str, **payload: Any) -> dict[str, Any]:
    value = {"document_id": document_id, "rule_set": "kyc_aml_v2"}
    task = {"workflow": INGESTION, "input": value, "key": document_id}
    return {
        "from_agent_id": "an-app", "to_agent_id": SERVICE, "request_type": StartRun.request_type,
        "payload": task | payload,
    }  # fmt: skip


class TestRuns:
    async def test_a_started_run_is_shown_with_its_transitions(self, service: ServiceHarness) -> None:
        run_id = (await start(service))["result"]["run_id"]
        shown = (await reader(service).get(f"/v1/runs/{run_id}")).json()

        assert (shown["state"], shown["status"], shown["workflow"]) == ("VALIDATING", "running", INGESTION)
        assert [turn["state"] for turn in shown["transitions"]] == ["IDLE", "VALIDATING"]
        assert shown["steps"] == []

    async def test_pages_are_walked_without_gap_or_double(self, service: ServiceHarness) -> None:
        started = [(await start(service))["result"]["run_id"] for _ in range(5)]
        client, seen, cursor = reader(service), [], ""
        while cursor is not None:
            page = (await client.get("/v1/runs", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
            seen += [run["run_id"] for run in page["items"]]
            cursor = page["next_cursor"]

        assert seen == started[::-1]

    async def test_cancelled_once_and_not_retried(self, service: ServiceHarness) -> None:
        run_id, client = (await start(service))["result"]["run_id"], reader(service)
        first = await client.post(f"/v1/runs/{run_id}/cancel")
        second = await client.post(f"/v1/runs/{run_id}/cancel")
        retried = await client.post(f"/v1/runs/{run_id}/retry")

        assert (first.status_code, first.json()["outcome"]) == (200, "cancelled")
        assert (second.status_code, second.json()["code"]) == (409, "run_ended")
        assert (retried.status_code, retried.json()["code"]) == (409, "run_not_failed")

    async def test_workflows_say_what_they_take(self, service: ServiceHarness) -> None:
        items = (await reader(service).get("/v1/workflows")).json()["items"]

        assert [item["workflow"] for item in items] == [INGESTION, "compliance_document_withdrawal"]
        assert items[0]["input_schema"]["required"] == ["document_id", "rule_set"]
        assert "storage-agent" in items[0]["agents"]


class TestRefusals:
    async def test_every_route_asks_for_its_scope(self, service: ServiceHarness) -> None:
        for method, path, scope in ROUTES:
            path = path.format(id=uuid4())
            nobody = await service.client().request(method, path)
            others = {"runs:read", "runs:write"} - {scope}
            lacking = await service.client(principal(COMPANY, *others)).request(method, path)

            assert nobody.status_code == 401, path
            assert (lacking.status_code, lacking.json()["code"]) == (403, "scope_missing"), path

    async def test_another_companys_run_is_not_found(self, service: ServiceHarness) -> None:
        run_id = (await start(service))["result"]["run_id"]
        for method, path, _ in ROUTES:
            if "{id}" not in path:
                continue
            theirs = await reader(service, OTHER).request(method, path.format(id=run_id))
            absent = await reader(service, OTHER).request(method, path.format(id=uuid4()))

            assert (theirs.status_code, theirs.json()["code"]) == (404, "run_unknown"), path
            assert {**theirs.json(), "trace_id": ""} == {**absent.json(), "trace_id": ""}
        assert (await reader(service).get(f"/v1/runs/{run_id}")).json()["status"] == "running"

    async def test_a_token_without_company_sees_no_runs(self, service: ServiceHarness) -> None:
        answer = await reader(service, None).get("/v1/runs")

        assert (answer.status_code, answer.json()["code"]) == (403, "company_missing")

    async def test_hostile_queries_and_ids_are_refused(self, service: ServiceHarness) -> None:
        client = reader(service)
        for query in HOSTILE:
            answer = await client.get(f"/v1/runs?{query}")
            assert (answer.status_code, answer.json()["code"]) in (
                (422, "request_invalid"), (422, "cursor_invalid"),
            ), query  # fmt: skip
        for run_id in ("1", "..%2F..", "' or 1=1 --", "0" * 5000):
            assert (await client.get(f"/v1/runs/{run_id}")).status_code in (404, 422), run_id


class TestStartRun:
    async def test_the_same_key_is_the_same_run_for_this_company_only(self, service: ServiceHarness) -> None:
        key = uuid4()
        first, second = await start(service, key), await start(service, key)
        other = service.client(principal(OTHER, "agents:call", agents=("an-app",)))
        theirs = (await other.post("/agent/handle", json=asking(str(key)))).json()

        assert first["result"] == second["result"]
        assert theirs["result"] != first["result"]

    async def test_what_does_not_fit_starts_nothing(self, service: ServiceHarness) -> None:
        client = service.client(principal(COMPANY, "agents:call", agents=("an-app",)))
        for payload, status in MISFITS:
            answer = await client.post("/agent/handle", json=asking(str(uuid4()), **payload))

            assert (answer.status_code, answer.json()["status"]) == (status, "failure"), payload
            assert misfit(SERVICE, answer) is None
        assert (await reader(service).get("/v1/runs")).json()["items"] == []

    async def test_the_door_speaks_for_named_agents_only(self, service: ServiceHarness) -> None:
        client = service.client(principal(COMPANY, "agents:call", agents=("another",)))
        refused = await client.post("/agent/handle", json=asking(str(uuid4())))
        hidden = await client.post(
            "/agent/handle",
            json=asking("k") | {"from_agent_id": "another", "to_agent_id": "storage-agent"},
        )

        assert refused.status_code == 403
        assert hidden.status_code == 403

    async def test_what_the_door_answers_and_refuses_itself_is_as_described(self, service: ServiceHarness) -> None:
        client = service.client(principal(COMPANY, "agents:call", agents=("an-app",)))
        answers = [
            await client.post("/agent/handle", json=asking(str(uuid4()))),
            await client.post("/agent/handle", json=asking("k") | {"more": 1}),
            await client.post("/agent/handle?colour=red", json=asking("k")),
            await reader(service).post("/agent/handle", json=asking("k")),
            await service.client().post("/agent/handle", json=asking("k")),
        ]

        assert [one.status_code for one in answers] == [200, 422, 422, 403, 401]
        assert [misfit(SERVICE, one) for one in answers] == [None] * 5
