"""Goal: what is refused looks as `schemas/openapi` says. Method: one real refusal for each reason."""

from uuid import uuid4

import httpx
import pytest

from tests.services.authn.conftest import COMPANY, Authn
from tests.support.described import misfit

SERVICE = "authn-service"
FORM = {"grant_type": "client_credentials"}


async def check_refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert misfit(SERVICE, answer) is None


async def test_who_shows_no_token_or_a_wrong_one(authn: Authn) -> None:
    wrong = {"authorization": "Token abc"}

    await check_refused(await authn.anyone().get("/v1/companies"), 401, "unauthenticated")
    await check_refused(await authn.anyone().get("/v1/companies", headers=wrong), 401, "token_invalid")


async def test_who_lacks_a_scope(authn: Authn) -> None:
    reader = authn.administrator("companies:read")

    await check_refused(await reader.post("/v1/companies", json=COMPANY), 403, "scope_missing")


async def test_what_is_not_there(authn: Authn) -> None:
    root = authn.administrator()

    await check_refused(await root.get(f"/v1/companies/{uuid4()}"), 404, "not_found")
    await check_refused(await root.post("/v1/clients/client-none/rotate-secret"), 404, "not_found")


async def test_what_contradicts_what_is_kept(authn: Authn) -> None:
    client = await authn.made_client((await authn.company())["company_id"])
    await authn.administrator().delete(f"/v1/clients/{client['client_id']}")
    answer = await authn.administrator().post(f"/v1/clients/{client['client_id']}/rotate-secret")

    await check_refused(answer, 409, "client_revoked")


async def test_a_body_in_a_wrong_form_names_its_fields(authn: Authn) -> None:
    root = authn.administrator()
    answer = await root.post("/v1/companies", json={**COMPANY, "name": 1, "more": 2})

    await check_refused(answer, 422, "request_invalid")
    assert {one["field"] for one in answer.json()["errors"]} == {"name", "more"}
    await check_refused(await root.post("/v1/companies", json={**COMPANY, "region": "moon"}), 422, "request_invalid")


async def test_a_parameter_that_nobody_knows(authn: Authn) -> None:
    answer = await authn.administrator().get("/v1/companies?colour=red")

    await check_refused(answer, 422, "parameter_unknown")
    assert "limit" in answer.json()["known"]


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_json"),
        (b"{}", "text/plain", 415, "media_type_not_supported"),
        (b" " * (17 << 20), "application/json", 413, "file_too_large"),
    ],
)
async def test_a_body_that_cannot_be_taken(
    authn: Authn, content: bytes, media_type: str, status: int, code: str
) -> None:
    answer = await authn.administrator().post(
        "/v1/companies", content=content, headers={"content-type": media_type}
    )  # fmt: skip

    await check_refused(answer, status, code)


async def test_a_token_is_given_or_refused_as_rfc_6749_says(authn: Authn) -> None:
    client = await authn.made_client((await authn.company())["company_id"])
    answers = [
        await authn.token(client),
        await authn.token({**client, "client_secret": "wrong"}),
        await authn.token(client, scope="nothing:here"),
        await authn.anyone().post("/oauth/token", data=FORM, headers={"authorization": "Token abc"}),
    ]

    assert [one.status_code for one in answers] == [200, 401, 400, 401]
    assert [misfit(SERVICE, one) for one in answers] == [None] * 4
