"""Goal: a generated client can read every refusal. Method: walk what `schemas/openapi` is written of."""

import json
from typing import Any

import pytest

from ecosystem import description
from ecosystem.kernel.http.problems import InvalidProblem, Problem
from tests.support.described import answers, operation

OPEN = {
    ("get", "/.well-known/jwks.json"), ("get", "/.well-known/oauth-authorization-server"), ("post", "/oauth/token"),
    ("post", "/v1/first-administrator"), ("get", "/v1/oncall/link"), ("post", "/v1/oncall/link"), ("get", "/v1/status"),
}  # fmt: skip


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    return description.openapi()


def operations(documents: dict[str, Any]) -> list[tuple[Any, str, str, Any]]:
    return [
        (document, method, path, one)
        for document in documents.values()
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    ]


def test_every_refusal_is_a_problem(documents: dict[str, Any]) -> None:
    seen = 0
    for document, method, path, one in operations(documents):
        for status, answer in answers(document, one).items():
            if status == "default" or int(status) >= 400:
                schema = answer["content"]["application/problem+json"]["schema"]["$ref"].rpartition("/")[2]
                seen += 1
                assert schema == ("InvalidProblem" if status == "422" else "Problem"), (method, path, status)

    assert seen > 500
    assert "HTTPValidationError" not in json.dumps(documents)


@pytest.mark.parametrize("model", [Problem, InvalidProblem])
def test_the_component_is_the_model(documents: dict[str, Any], model: type[Problem]) -> None:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)

    assert {json.dumps(document["components"]["schemas"][model.__name__]) for document in documents.values()} == {
        json.dumps(schema)
    }


def test_what_a_route_may_refuse_follows_from_what_it_asks_for(documents: dict[str, Any]) -> None:
    for document, method, path, one in operations(documents):
        found, is_open = set(answers(document, one)), (method, path) in OPEN

        assert found >= {"429", "503", "default"}, path
        assert ("403" in found) is not is_open, path
        assert ("404" in found) is ("{" in path), path
        assert ("413" in found) is ("requestBody" in one), path
        assert any("bearer" in way for way in one.get("security", ())) is not is_open, path


def test_a_route_names_the_scopes_that_it_asks_for(documents: dict[str, Any]) -> None:
    document = documents["recovery-agent"]

    assert operation(document, "GET", "/v1/work/1")["security"] == [{"bearer": ["runs:read"]}]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_the_door_to_agents_stands_once_with_both_its_answers_and_both_ways_in(documents: dict[str, Any]) -> None:
    having = [name for name, document in documents.items() if "/agent/handle" in document["paths"]]
    one = documents["orchestrator-agent"]["paths"]["/agent/handle"]["post"]
    refused = one["responses"]["422"]["content"]

    assert having == ["orchestrator-agent"]
    assert one["security"] == [{"bearer": ["agents:call"]}, {"basic": []}]
    assert one["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/HandleBody")
    assert one["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/HandleAnswer")
    assert sorted(refused) == ["application/json", "application/problem+json"]


def test_a_token_is_asked_for_by_a_form(documents: dict[str, Any]) -> None:
    one = documents["authn-service"]["paths"]["/oauth/token"]["post"]
    form = one["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]

    assert set(form["properties"]) == {"grant_type", "scope", "company_id", "client_id", "client_secret"}
    assert one["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/TokenGiven")
    assert sorted(one["responses"]["401"]["content"]) == ["application/json", "application/problem+json"]
    assert one["security"] == [{"basic": []}, {}]
