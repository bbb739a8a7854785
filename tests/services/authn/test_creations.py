"""Goal: what is asked for twice under one key is created once. Method: routes on a real database, at once and later."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from ecosystem.contracts.authn import ROLES
from ecosystem.kernel.db.errors import CommitUncertain
from ecosystem.kernel.http.principal import Principal
from tests.services.authn.conftest import COMPANY, Authn

KEY = {"Idempotency-Key": "0b9f1f6e-6f5a-4b43-9d6e-2f1f2c5f7a11"}
CLIENT = {"name": "Scanner", "roles": ["analyst"]}
COMPANIES, CLIENTS = "/v1/companies", "/v1/clients"


async def asked(client: httpx.AsyncClient, path: str, body: dict[str, Any], key: str | None = None) -> httpx.Response:
    return await client.post(path, json=body, headers={"Idempotency-Key": key} if key else KEY)


def rows(authn: Authn, table: str) -> int:
    return int(authn.harness.platform.rows(f"select count(*) from authn.{table}")[0][0])


class TestCompanies:
    async def test_the_same_request_again_is_answered_as_the_first(self, authn: Authn) -> None:
        root = authn.administrator()
        first, again = [await asked(root, COMPANIES, COMPANY) for _ in range(2)]

        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
        assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
        assert (rows(authn, "companies"), len(authn.harness.events("company_created"))) == (1, 1)

    async def test_of_many_at_once_one_creates(self, authn: Authn) -> None:
        root = authn.administrator()
        answers = await asyncio.gather(*(asked(root, COMPANIES, COMPANY) for _ in range(6)))

        assert len({one.json()["company_id"] for one in answers}) == 1
        assert [one.headers.get("idempotency-replayed") for one in answers].count("true") == 5
        assert rows(authn, "companies") == 1

    async def test_the_same_key_for_something_else_is_refused(self, authn: Authn) -> None:
        root = authn.administrator()
        company = (await asked(root, COMPANIES, COMPANY)).json()["company_id"]
        answers = [
            await asked(root, COMPANIES, {**COMPANY, "name": "Beta"}),
            await asked(root, CLIENTS, {**CLIENT, "company_id": company}),
        ]

        assert [(one.status_code, one.json()["code"]) for one in answers] == [(409, "idempotency_key_reused")] * 2
        assert (rows(authn, "companies"), rows(authn, "clients")) == (1, 0)

    async def test_a_key_is_of_who_chose_it(self, authn: Authn) -> None:
        other = authn.running.client(Principal("client-other", None, ROLES["platform-administrator"]))
        first = await asked(authn.administrator(), COMPANIES, COMPANY)
        second = await asked(other, COMPANIES, COMPANY)

        assert first.json()["company_id"] != second.json()["company_id"]

    async def test_a_refused_request_takes_no_key(self, authn: Authn) -> None:
        root = authn.administrator()
        refused = await asked(root, COMPANIES, {**COMPANY, "region": "moon"})
        made = await asked(root, COMPANIES, COMPANY)

        assert (refused.status_code, made.status_code) == (422, 201)

    @pytest.mark.parametrize("key", ["", " ", "a b", "k" * 201, "\x7f"])
    async def test_a_key_has_a_form(self, authn: Authn, key: str) -> None:
        answer = await authn.administrator().post(COMPANIES, json=COMPANY, headers={"Idempotency-Key": key})

        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_invalid")
        assert rows(authn, "companies") == 0


class TestClients:
    async def test_the_same_request_again_is_answered_with_the_same_secret(self, authn: Authn) -> None:
        member = authn.member(UUID((await authn.company())["company_id"]))
        first, again = [await asked(member, CLIENTS, CLIENT) for _ in range(2)]

        assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
        assert again.headers["cache-control"] == "no-store"
        assert (rows(authn, "clients"), rows(authn, "secrets")) == (1, 1)
        assert (await authn.token(again.json())).status_code == 200

    async def test_of_many_at_once_one_creates_and_all_can_work(self, authn: Authn) -> None:
        member = authn.member(UUID((await authn.company())["company_id"]))
        answers = await asyncio.gather(*(asked(member, CLIENTS, CLIENT) for _ in range(6)))

        assert len({(one.json()["client_id"], one.json()["client_secret"]) for one in answers}) == 1
        assert (rows(authn, "clients"), rows(authn, "secrets")) == (1, 1)
        assert (await authn.token(answers[-1].json())).status_code == 200

    async def test_neither_key_nor_secret_is_kept(self, authn: Authn) -> None:
        member = authn.member(UUID((await authn.company())["company_id"]))
        secret = (await asked(member, CLIENTS, CLIENT)).json()["client_secret"]
        tables = ("creations", "clients", "secrets", "data_keys")
        stored = [
            str(authn.harness.platform.rows(f"select row_to_json(t)::text from {name} t"))
            for name in (*(f"authn.{table}" for table in tables), "kernel.log")
        ]

        assert secret not in "".join(stored)
        assert KEY["Idempotency-Key"] not in "".join(stored)

    async def test_two_keys_and_two_callers_never_share_a_secret(self, authn: Authn) -> None:
        company = (await authn.company())["company_id"]
        member, root = authn.member(UUID(company)), authn.administrator()
        made = [
            await asked(member, CLIENTS, CLIENT),
            await asked(member, CLIENTS, CLIENT, "another-key"),
            await asked(root, CLIENTS, {**CLIENT, "company_id": company}),
        ]

        assert len({one.json()["client_secret"] for one in made}) == 3

    async def test_a_revoked_client_is_not_told_again(self, authn: Authn) -> None:
        member = authn.member(UUID((await authn.company())["company_id"]))
        made = (await asked(member, CLIENTS, CLIENT)).json()
        await member.delete(f"{CLIENTS}/{made['client_id']}")
        again = await asked(member, CLIENTS, CLIENT)

        assert (again.status_code, again.json()["code"]) == (409, "idempotency_key_spent")
        assert again.json()["client_id"] == made["client_id"]
        assert "client_secret" not in again.text

    async def test_a_secret_that_ended_is_not_told_again(self, authn: Authn) -> None:
        member = authn.member(UUID((await authn.company())["company_id"]))
        made = (await asked(member, CLIENTS, CLIENT)).json()
        await member.post(f"{CLIENTS}/{made['client_id']}/rotate-secret")
        while_it_works = await asked(member, CLIENTS, CLIENT)
        authn.clock.advance(86_401)
        after = await asked(member, CLIENTS, CLIENT)

        assert while_it_works.json()["client_secret"] == made["client_secret"]
        assert (after.status_code, after.json()["code"]) == (409, "idempotency_key_spent")

    async def test_after_a_day_a_secret_that_works_is_not_told_either(self, authn: Authn) -> None:
        member = authn.member(UUID((await authn.company())["company_id"]))
        made = (await asked(member, CLIENTS, CLIENT)).json()
        authn.clock.advance(86_401)
        again = await asked(member, CLIENTS, CLIENT)

        assert (again.status_code, again.json()["code"]) == (409, "idempotency_key_spent")
        assert "rotate-secret" in again.json()["next_step"]
        assert (await authn.token(made)).status_code == 200

    async def test_who_may_no_longer_give_the_role_is_refused_first(self, authn: Authn) -> None:
        company = (await authn.company())["company_id"]
        body = {**CLIENT, "company_id": company}
        await asked(authn.administrator(), CLIENTS, body)
        again = await asked(authn.administrator("clients:read", "clients:write"), CLIENTS, body)

        assert (again.status_code, again.json()["code"]) == (403, "role_refused")


async def test_an_answer_that_was_lost_in_the_commit_is_had_by_asking_again(
    authn: Authn, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, database = authn.member(UUID((await authn.company())["company_id"])), authn.running.kernel.database
    run = database.run

    async def committed_but_cut_off(work: Any) -> Any:
        await run(work)
        raise CommitUncertain

    with monkeypatch.context() as cut:
        cut.setattr(database, "run", committed_but_cut_off)
        lost = await asked(member, CLIENTS, CLIENT)
    found = await asked(member, CLIENTS, CLIENT)

    assert (lost.status_code, lost.json()["code"]) == (503, "commit_uncertain")
    assert (found.status_code, rows(authn, "clients")) == (201, 1)
    assert (await authn.token(found.json())).status_code == 200
