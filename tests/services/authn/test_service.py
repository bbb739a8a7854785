"""Goal: companies and clients are kept well, each change leaves its traces. Method: routes on a real database."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.services.authn.conftest import COMPANY, Authn

WRONG_COMPANIES: list[tuple[dict[str, Any], str]] = [
    ({"name": "\x00"}, "name"),
    ({"name": "n" * 401}, "name"),
    ({"region": "moon"}, "region"),
    ({"time_zone": "Mars/Base"}, "time_zone"),
    ({"locale": "xx"}, "locale"),
    ({"currency": "XXXX"}, "currency"),
    ({"more": 1}, "more"),
    ({"name": None}, "name"),
    ({"region": {"$ne": 1}}, "region"),
]
WRONG_CLIENTS: list[dict[str, Any]] = [
    {"roles": ["platform-administrator"]},
    {"roles": ["root"]},
    {"roles": []},
    {"agents": ["A B"]},
    {"agents": ["a"] * 51},
    {"name": "\u202e"},
    {"company_id": "x"},
    {"scopes": ["all"]},
]


class TestCompanies:
    async def test_a_company_is_kept_as_it_was_checked(self, authn: Authn) -> None:
        made = await authn.company(name="  Zu\u0308rich AG ")
        shown = await authn.administrator().get(f"/v1/companies/{made['company_id']}")

        assert shown.json() == made
        assert {key: made[key] for key in COMPANY} == {**COMPANY, "name": "Zürich AG", "locale": "de_CH"}

    async def test_its_event_tells_no_name(self, authn: Authn) -> None:
        made = await authn.company(name="Very Secret Holding")
        (event,) = authn.harness.events("company_created")
        stored = str(authn.harness.platform.rows("select row_to_json(l)::text from kernel.log l"))

        assert (event[1], str(event[2])) == (made["company_id"], made["company_id"])
        assert "Very Secret" not in stored

    async def test_a_field_that_breaks_its_rule_is_named_and_nothing_is_stored(self, authn: Authn) -> None:
        for change, field in WRONG_COMPANIES:
            answer = await authn.administrator().post("/v1/companies", json={**COMPANY, **change})

            assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid"), change
            assert answer.json()["errors"][0]["field"] == field
        assert authn.harness.platform.rows("select 1 from authn.companies") == []
        assert authn.harness.events("company_created") == []

    async def test_injected_text_is_text(self, authn: Authn) -> None:
        name = "'; drop table authn.companies; -- {{7*7}} <script>"
        made = await authn.company(name=name)

        assert (await authn.administrator().get(f"/v1/companies/{made['company_id']}")).json()["name"] == name

    async def test_pages_hold_every_company_once_newest_first(self, authn: Authn) -> None:
        made = []
        for number in range(5):
            authn.clock.advance(number // 2)
            made.append((await authn.company(name=f"C{number}"))["company_id"])
        seen, cursor = list[str](), ""
        while cursor is not None:
            page = (await authn.administrator().get(f"/v1/companies?limit=2{cursor and f'&cursor={cursor}'}")).json()
            seen += [one["company_id"] for one in page["items"]]
            cursor = page["next_cursor"]

        assert sorted(seen) == sorted(made)
        assert len(seen) == 5

    async def test_a_cursor_of_ones_own_making_is_refused(self, authn: Authn) -> None:
        client = authn.administrator()
        found = [
            await client.get(f"{path}?cursor={cursor}")
            for path in ("/v1/companies", "/v1/clients")
            for cursor in ("x", "e30", "WzEsMl0", "WyIyMDI2LTAxLTAxIiwieCJd")
        ]

        assert {(one.status_code, one.json()["code"]) for one in found} == {(422, "cursor_invalid")}


class TestClients:
    async def test_a_companys_administrator_makes_clients_of_its_company(self, authn: Authn) -> None:
        company = (await authn.company())["company_id"]
        member = authn.member(UUID(company))

        made = await member.post("/v1/clients", json={"name": "Scanner", "roles": ["analyst", "analyst"]})
        listed = (await member.get("/v1/clients")).json()["items"]

        assert (made.status_code, made.json()["company_id"], made.json()["roles"]) == (201, company, ["analyst"])
        assert [one["client_id"] for one in listed] == [made.json()["client_id"]]
        assert "client_secret" not in listed[0]
        assert (await authn.token(made.json())).status_code == 200

    async def test_what_breaks_a_rule_makes_no_client(self, authn: Authn) -> None:
        member = authn.member(UUID((await authn.company())["company_id"]))

        for change in WRONG_CLIENTS:
            answer = await member.post("/v1/clients", json={"name": "x", "roles": ["analyst"], **change})

            assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid"), change
        assert authn.harness.platform.rows("select 1 from authn.clients") == []

    async def test_nobody_gives_or_takes_more_than_it_has(self, authn: Authn) -> None:
        company = (await authn.company())["company_id"]
        strong = await authn.made_client(company, "company-administrator")
        narrow = authn.administrator("clients:read", "clients:write")
        path = f"/v1/clients/{strong['client_id']}"

        answers = [
            await narrow.post("/v1/clients", json={"name": "x", "roles": ["auditor"], "company_id": company}),
            await narrow.post(f"{path}/rotate-secret"),
            await narrow.delete(path),
        ]

        assert [(one.status_code, one.json()["code"]) for one in answers] == [(403, "role_refused")] * 3
        assert (await authn.token(strong)).status_code == 200

    async def test_a_company_that_is_not_there_is_not_found(self, authn: Authn) -> None:
        body = {"name": "x", "roles": ["analyst"], "company_id": str(uuid4())}
        own = (await authn.company())["company_id"]
        other = (await authn.company(name="Beta"))["company_id"]

        absent = await authn.administrator().post("/v1/clients", json=body)
        foreign = await authn.member(UUID(own)).post("/v1/clients", json={**body, "company_id": other})
        listed = await authn.member(UUID(own)).get(f"/v1/clients?company_id={other}")

        assert [one.status_code for one in (absent, foreign, listed)] == [404] * 3

    async def test_a_rotated_secret_works_beside_the_former_until_the_overlap_ends(self, authn: Authn) -> None:
        company = (await authn.company())["company_id"]
        client = await authn.made_client(company)
        renewed = await authn.administrator().post(f"/v1/clients/{client['client_id']}/rotate-secret")

        during = [(await authn.token(one)).status_code for one in (client, renewed.json())]
        authn.clock.advance(timedelta(hours=24, seconds=1))
        afterwards = [(await authn.token(one)).status_code for one in (client, renewed.json())]

        assert (renewed.status_code, during, afterwards) == (200, [200, 200], [401, 200])
        assert renewed.json()["former_secret_until"] is not None

    async def test_a_revoked_client_gets_no_token_and_no_secret(self, authn: Authn) -> None:
        company = (await authn.company())["company_id"]
        client, administrator = await authn.made_client(company), authn.administrator()
        path = f"/v1/clients/{client['client_id']}"

        first, again = await administrator.delete(path), await administrator.delete(path)
        token = await authn.token(client)
        secret = await administrator.post(f"{path}/rotate-secret")

        assert (first.status_code, first.json()["status"]) == (200, "revoked")
        assert again.json() == first.json()
        assert (token.status_code, token.json()["error"]) == (401, "invalid_client")
        assert (secret.status_code, secret.json()["code"]) == (409, "client_revoked")
        assert len(authn.harness.events("client_revoked")) == 1

    async def test_the_last_administrator_stays(self, authn: Authn) -> None:
        one, two = await authn.made_client(), await authn.made_client()
        administrator = authn.administrator()

        answers = [await administrator.delete(f"/v1/clients/{client['client_id']}") for client in (one, two)]

        assert [answer.status_code for answer in answers] == [200, 409]
        assert answers[1].json()["code"] == "last_administrator"

    async def test_every_change_leaves_an_audit_entry(self, authn: Authn) -> None:
        company = (await authn.company())["company_id"]
        client = await authn.made_client(company)
        administrator = authn.administrator()
        await administrator.post(f"/v1/clients/{client['client_id']}/rotate-secret")
        await administrator.delete(f"/v1/clients/{client['client_id']}")
        told = [
            (data["action"], data["user_id"]) for _, _, owner, data in authn.harness.events("audit_recorded")
            if str(owner) == company
        ]  # fmt: skip

        assert told == [
            (action, "client-root")
            for action in ("company_created", "client_created", "client_secret_rotated", "client_revoked")
        ]

    async def test_pages_hold_every_client_once(self, authn: Authn) -> None:
        company = (await authn.company())["company_id"]
        made = {(await authn.made_client(company))["client_id"] for _ in range(5)}
        client, seen, cursor = authn.member(UUID(company)), list[str](), ""
        while cursor is not None:
            page = (await client.get(f"/v1/clients?limit=2{cursor and f'&cursor={cursor}'}")).json()
            seen += [one["client_id"] for one in page["items"]]
            cursor = page["next_cursor"]

        assert (set(seen), len(seen)) == (made, 5)
