"""Goal: no route passes over what it was not asked for. Method: walk the routes of all services, composed as by
`eco schemas`; the parts behind them are never reached."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from ecosystem import description
from ecosystem.contracts.authn import SCOPES
from ecosystem.kernel.http.door import routes_of
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.http.wellformed import parameters_of

PLACES = {"page": "1", "name": "kyc_aml", "client_id": "client-x"}
NOT_JSON = (b'{"a": 1', b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e999}')


def as_principal(app: FastAPI, principal: Principal | None) -> Any:
    async def asked(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "principal": principal}, receive, send)

    return asked


def a_client(app: FastAPI, principal: Principal | None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(as_principal(app, principal), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://service.test")


@pytest.fixture(scope="module")
def services() -> dict[str, FastAPI]:
    return description.applications()


def routes(app: FastAPI) -> list[tuple[str, APIRoute, str]]:
    """Method, route, and the path below which it is asked."""
    return [
        (method, route, route.path_format.format_map(_Ids(PLACES)))
        for route in routes_of(app)
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


class _Ids(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return str(uuid4())


EVERYBODY = Principal("client-all", uuid4(), SCOPES, frozenset())


async def test_every_route_refuses_a_parameter_it_does_not_know_and_names_those_it_does(
    services: dict[str, FastAPI],
) -> None:
    seen, wrong = 0, []
    for app in services.values():
        async with a_client(app, EVERYBODY) as http:
            for method, route, path in routes(app):
                answer = await http.request(method, path, params={"colour": "red"})
                told, seen = answer.json(), seen + 1
                if (answer.status_code, told["code"], told.get("known"), told.get("parameter")) != (
                    422, "parameter_unknown", list(parameters_of(route)), "colour",
                ):  # fmt: skip
                    wrong.append((method, path, answer.text))

    assert seen > 40
    assert wrong == []


async def test_every_parameter_stands_once(services: dict[str, FastAPI]) -> None:
    answers = []
    for app in services.values():
        async with a_client(app, EVERYBODY) as http:
            for method, route, path in routes(app):
                for name in parameters_of(route):
                    answer = await http.request(method, f"{path}?{name}=a&{name}=b")
                    answers.append((answer.status_code, answer.json()["code"], answer.json()["parameter"] == name))

    assert len(answers) > 20
    assert set(answers) == {(422, "parameter_repeated", True)}


async def test_whoever_is_not_known_is_told_that_first(services: dict[str, FastAPI]) -> None:
    async with a_client(services["creditx-service"], None) as http:
        answer = await http.get("/v1/documents?colour=red")

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_the_message_says_what_a_misspelt_filter_should_have_been(services: dict[str, FastAPI]) -> None:
    async with a_client(services["events-service"], EVERYBODY) as http:
        answer = await http.get("/v1/events?cursor=abc")

    assert answer.json()["detail"] == (
        'This route does not know the query parameter "cursor". It knows after, limit, subject, type.'
    )


@pytest.mark.parametrize("body", NOT_JSON)
async def test_what_is_not_json_has_one_name_on_every_route_that_takes_json(
    services: dict[str, FastAPI], body: bytes
) -> None:
    seen = {}
    for app in services.values():
        async with a_client(app, EVERYBODY) as http:
            for method, route, path in routes(app):
                if route.body_field is not None:
                    answer = await http.request(
                        method, path, content=body, headers={"content-type": "application/json"}
                    )
                    seen[method, path] = (answer.status_code, answer.json()["code"])

    assert len(seen) >= 4
    assert set(seen.values()) == {(400, "malformed_json")}


async def test_no_text_holds_a_sign_that_the_database_does_not_keep(services: dict[str, FastAPI]) -> None:
    headers = {"content-type": "application/json"}
    bodies = [
        rb'{"a\u0000": 1}', rb'{"a": [{"b": "x\u0000y"}]}', rb'["\u0000"]', rb'"\\\u0000"',
    ]  # fmt: skip
    answers = []
    for app in services.values():
        async with a_client(app, EVERYBODY) as http:
            for method, route, path in routes(app):
                answers += [await http.request(method, f"{path}?{name}=a%00b") for name in parameters_of(route)]
                if route.body_field is not None:
                    answers += [await http.request(method, path, content=body, headers=headers) for body in bodies]

    assert len(answers) > 60
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(422, "request_invalid")}
    assert {answer.json()["errors"][0]["rule"] for answer in answers} == {"string_nul"}
    assert "a.0.b" in {answer.json()["errors"][0]["field"] for answer in answers}


async def test_a_backslash_before_what_looks_like_that_sign_is_text(services: dict[str, FastAPI]) -> None:
    async with a_client(services["authn-service"], EVERYBODY) as http:
        answer = await http.post(
            "/v1/companies", content=rb'{"surname": "C:\\u0000"}', headers={"content-type": "application/json"}
        )

    assert answer.json()["code"] == "request_invalid"


async def test_json_that_is_called_something_else_is_told_how_to_be_called(services: dict[str, FastAPI]) -> None:
    async with a_client(services["authn-service"], EVERYBODY) as http:
        answer = await http.post("/v1/companies", content=b"{}", headers={"content-type": "text/plain"})

    assert (answer.status_code, answer.json()["code"]) == (415, "media_type_not_supported")
    assert "application/json" in answer.json()["next_step"]
