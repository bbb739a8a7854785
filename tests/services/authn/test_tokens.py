"""Goal: tokens are for whoever proves to be a client, and for nothing more. Method: the real service; RFC 6749."""

import asyncio
import base64
import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from ecosystem.contracts.authn import AUDIENCE, ISSUER, ROLES
from ecosystem.kernel.db.errors import CommitUncertain
from ecosystem.kernel.http.tokens import TokenExpired, TokenInvalid, TokenVerifier
from ecosystem.kernel.testing.twins import MemoryKeys
from tests.services.authn.conftest import Authn

PLATFORM = "00000000-0000-0000-0000-000000000000"


async def jwks(authn: Authn) -> dict[str, dict[str, Any]]:
    answer = await authn.anyone().get("/.well-known/jwks.json")
    return {key["kid"]: key for key in answer.json()["keys"]}


async def verifier(authn: Authn) -> TokenVerifier:
    keys = {kid: ECKey.import_key(key) for kid, key in (await jwks(authn)).items()}
    source = MemoryKeys()
    source.keys.update(keys)
    return TokenVerifier(source, clock=authn.clock)


async def claims(authn: Authn, token: str) -> dict[str, Any]:
    key = ECKey.import_key((await jwks(authn))[_kid(token)])
    return dict(jwt.decode(token, key, algorithms=["ES256"]).claims)


class TestIssue:
    async def test_a_client_gets_a_token_of_its_company(self, authn: Authn) -> None:
        company = (await authn.company())["company_id"]
        client = await authn.made_client(company, "integrator", agents=["partner-agent"])

        answer = await authn.token(client)
        found = await claims(authn, answer.json()["access_token"])

        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert {key: answer.json()[key] for key in ("token_type", "expires_in")} == {
            "token_type": "Bearer", "expires_in": 300,
        }  # fmt: skip
        assert (found["iss"], found["aud"], found["sub"]) == (ISSUER, AUDIENCE, client["client_id"])
        assert (found["company_id"], found["roles"], found["agents"]) == (company, ["integrator"], ["partner-agent"])
        assert set(found["scope"].split()) == ROLES["integrator"]
        assert found["exp"] - found["iat"] == 300

    async def test_the_platforms_verifier_takes_it_until_it_expires(self, authn: Authn) -> None:
        company = (await authn.company())["company_id"]
        token = (await authn.token(await authn.made_client(company))).json()["access_token"]
        check = await verifier(authn)

        principal = await check.verify(token)
        with pytest.raises(TokenInvalid):
            await check.verify(token[:-6] + "AAAAAA")
        authn.clock.advance(331)
        with pytest.raises(TokenExpired):
            await check.verify(token)

        assert str(principal.company_id) == company

    async def test_credentials_in_the_form_do_as_well(self, authn: Authn) -> None:
        client = await authn.made_client()
        form = {"client_id": client["client_id"], "client_secret": client["client_secret"]}

        answer = await authn.anyone().post("/oauth/token", data={"grant_type": "client_credentials", **form})

        assert answer.status_code == 200
        assert "company_id" not in await claims(authn, answer.json()["access_token"])

    async def test_a_token_can_be_narrowed_and_never_widened(self, authn: Authn) -> None:
        client = await authn.made_client((await authn.company())["company_id"], "analyst")

        narrow = await authn.token(client, scope="runs:read")
        wide = [await authn.token(client, scope=scope) for scope in ("runs:read clients:write", "nonsense", " ")]

        assert narrow.json()["scope"] == "runs:read"
        assert [(one.status_code, one.json()["error"]) for one in wide] == [(400, "invalid_scope")] * 3

    async def test_an_administrator_of_the_platform_chooses_a_company(self, authn: Authn) -> None:
        company, client = (await authn.company())["company_id"], await authn.made_client()

        answer = await authn.token(client, company_id=company)
        unknown = [await authn.token(client, company_id=one) for one in (PLATFORM, client["client_id"], "x' or 1=1")]

        assert (await claims(authn, answer.json()["access_token"]))["company_id"] == company
        assert [(one.status_code, one.json()["error"]) for one in unknown] == [(400, "invalid_request")] * 3

    async def test_others_have_their_own_and_learn_nothing_of_another(self, authn: Authn) -> None:
        own, other = (await authn.company())["company_id"], (await authn.company(name="Beta"))["company_id"]
        client = await authn.made_client(own, "company-administrator")

        same = await authn.token(client, company_id=own)
        refused = [await authn.token(client, company_id=one) for one in (other, "0" * 32, PLATFORM)]

        assert same.status_code == 200
        assert len({one.text for one in refused}) == 1
        assert (refused[0].status_code, refused[0].json()["error"]) == (400, "unauthorized_client")


WRONG_FORMS: list[tuple[str, dict[str, str], int, str]] = [
    ("grant_type=client_credentials", {}, 401, "invalid_client"),
    ("grant_type=client_credentials", {"authorization": "Basic !"}, 401, "invalid_client"),
    ("grant_type=client_credentials", {"authorization": "Basic YWJj"}, 401, "invalid_client"),
    ("grant_type=client_credentials", {"authorization": "Basic YTpi"}, 401, "invalid_client"),
    ("grant_type=client_credentials&client_id=a&client_secret=b", {}, 401, "invalid_client"),
    ("grant_type=a&grant_type=b&client_id=a&client_secret=b", {}, 400, "invalid_request"),
    ("client_id=a&client_secret=b", {"authorization": "Basic YTpi"}, 400, "invalid_request"),
    ("client_id=z", {"authorization": "Basic YTpi"}, 400, "invalid_request"),
    ("x" * 20_000, {}, 400, "invalid_request"),
    ("{}", {"content-type": "application/json"}, 400, "invalid_request"),
    ("client_id=%00&client_secret=%27%3B--&grant_type=x", {}, 401, "invalid_client"),
    ("client_id=%FF&client_secret=" + "s" * 9000 + "&grant_type=x", {}, 401, "invalid_client"),
]


class TestRefusals:
    async def test_requests_in_a_wrong_form(self, authn: Authn) -> None:
        for content, headers, status, error in WRONG_FORMS:
            sent = {"content-type": "application/x-www-form-urlencoded", **headers}

            answer = await authn.anyone().post("/oauth/token", content=content, headers=sent)

            assert (answer.status_code, answer.json()["error"]) == (status, error), content[:80]
            assert ("www-authenticate" in answer.headers) == (status == 401)
            assert answer.headers["cache-control"] == "no-store"

    async def test_other_grants(self, authn: Authn) -> None:
        client = await authn.made_client()
        auth = (client["client_id"], client["client_secret"])

        password = await authn.anyone().post("/oauth/token", data={"grant_type": "password"}, auth=auth)
        none = await authn.anyone().post("/oauth/token", data={"scope": "x"}, auth=auth)

        assert (password.status_code, password.json()["error"]) == (400, "unsupported_grant_type")
        assert (none.status_code, none.json()["error"]) == (400, "invalid_request")

    async def test_a_wrong_secret_and_an_unknown_client_are_the_same(self, authn: Authn) -> None:
        client = await authn.made_client()

        wrong = await authn.token({**client, "client_secret": "guess"})
        unknown = await authn.token({"client_id": "client-nobody", "client_secret": "guess"})

        assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content)

    async def test_guessing_is_slowed_and_the_right_secret_is_not(self, authn: Authn) -> None:
        client, began = await authn.made_client(), authn.clock.monotonic()
        for _ in range(5):
            await authn.token({**client, "client_secret": "guess"})
        slowed = authn.clock.monotonic() - began
        right = await authn.token(client)

        assert slowed == pytest.approx(0.05 + 0.1 + 0.2 + 0.4 + 0.8)
        assert right.status_code == 200
        assert authn.clock.monotonic() - began == pytest.approx(slowed)


class TestKeys:
    async def test_the_next_is_published_first_and_the_old_stays_for_its_tokens(self, authn: Authn) -> None:
        client, (old,) = await authn.made_client(), await jwks(authn)
        authn.clock.advance(timedelta(days=7) - timedelta(minutes=60))
        await authn.running.job("rotate-signing-keys")
        published = await jwks(authn)
        authn.clock.advance(timedelta(minutes=59))
        before = (await authn.token(client)).json()["access_token"]
        authn.clock.advance(timedelta(minutes=2))
        after = (await authn.token(client)).json()["access_token"]
        valid = await verifier(authn)
        kids = [_kid(token) for token in (before, after)]

        assert {(await valid.verify(token)).client_id for token in (before, after)} == {client["client_id"]}
        assert next(iter(published)) == old
        assert kids == list(published)

        authn.clock.advance(timedelta(minutes=8))
        await authn.running.job("rotate-signing-keys")
        assert list(await jwks(authn)) == [kids[1]]
        assert [kind for kind, *_ in authn.harness.events("signing_key_rotated")] == ["signing_key_rotated"] * 2

    async def test_private_parts_are_never_shown_and_never_stored_in_the_clear(self, authn: Authn) -> None:
        shown = await jwks(authn)
        rows = authn.harness.platform.rows("select public, private_sealed from authn.signing_keys")

        assert all("d" not in key and key["alg"] == "ES256" for key in shown.values())
        assert all("d" not in public and b'"d"' not in bytes(sealed) for public, sealed in rows)

    async def test_a_round_of_the_job_without_need_changes_nothing(self, authn: Authn) -> None:
        before = await jwks(authn)
        await authn.running.job("rotate-signing-keys")

        assert await jwks(authn) == before

    async def test_metadata(self, authn: Authn) -> None:
        answer = (await authn.anyone().get("/.well-known/oauth-authorization-server", headers={"host": "e:1"})).json()

        assert (answer["issuer"], answer["token_endpoint"]) == (ISSUER, "https://e:1/oauth/token")
        assert answer["grant_types_supported"] == ["client_credentials"]


class TestFirstAdministrator:
    async def test_the_credential_works_once_and_its_file_goes(self, authn: Authn) -> None:
        credential = authn.credential_file.read_text().strip()
        mode = authn.credential_file.stat().st_mode & 0o777

        first = await authn.anyone().post("/v1/first-administrator", json={"credential": credential})
        again = await authn.anyone().post("/v1/first-administrator", json={"credential": credential})
        token = await authn.token(first.json())

        assert (mode, first.status_code, token.status_code) == (0o600, 201, 200)
        assert (again.status_code, again.json()["code"]) == (401, "credential_refused")
        assert not authn.credential_file.exists()
        assert "platform:write" in token.json()["scope"]

    @pytest.mark.parametrize("kept", [True, False], ids=["committed", "not committed"])
    async def test_a_commit_of_unknown_end_is_looked_after_while_the_secret_is_known(
        self, authn: Authn, monkeypatch: pytest.MonkeyPatch, kept: bool
    ) -> None:
        credential, database = authn.credential_file.read_text().strip(), authn.running.kernel.database
        run, calls = database.run, list[int]()

        async def cut_off_once(work: Any) -> Any:
            calls.append(1)
            if len(calls) > 1:
                return await run(work)
            if kept:
                await run(work)
            raise CommitUncertain

        with monkeypatch.context() as cut:
            cut.setattr(database, "run", cut_off_once)
            first = await authn.anyone().post("/v1/first-administrator", json={"credential": credential})

        assert (first.status_code, len(calls)) == (201, 1 if kept else 2)
        assert (await authn.token(first.json())).status_code == 200
        assert authn.harness.platform.rows("select count(*) from authn.clients") == [(1,)]

    async def test_a_wrong_one_changes_nothing(self, authn: Authn) -> None:
        wrong = await authn.anyone().post("/v1/first-administrator", json={"credential": "guess"})
        malformed = await authn.anyone().post("/v1/first-administrator", json={"credential": "x" * 300, "more": 1})

        assert (wrong.status_code, malformed.status_code) == (401, 422)
        assert authn.credential_file.exists()
        assert authn.harness.platform.rows("select 1 from authn.clients") == []

    async def test_a_start_keeps_one_that_works_and_replaces_one_that_does_not(self, authn: Authn) -> None:
        (prepare,) = [one for one in authn.running.service.before_ready if one.__name__ == "prepare"]
        before = authn.credential_file.read_text()
        await prepare()
        kept = authn.credential_file.read_text()
        authn.credential_file.write_text("damaged")
        await prepare()
        renewed = authn.credential_file.read_text().strip()
        answer = await authn.anyone().post("/v1/first-administrator", json={"credential": renewed})
        await prepare()

        assert (kept, answer.status_code) == (before, 201)
        assert not authn.credential_file.exists()

    async def test_replicas_that_start_together_leave_one_that_works(self, authn: Authn) -> None:
        (prepare,) = [one for one in authn.running.service.before_ready if one.__name__ == "prepare"]
        authn.credential_file.unlink()

        await asyncio.gather(*(prepare() for _ in range(5)))
        credential = authn.credential_file.read_text().strip()
        answer = await authn.anyone().post("/v1/first-administrator", json={"credential": credential})

        assert answer.status_code == 201

    async def test_it_stands_nowhere_else(self, authn: Authn, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        credential = authn.credential_file.read_text().strip()
        first = await authn.anyone().post("/v1/first-administrator", json={"credential": credential})
        secret = first.json()["client_secret"]
        stored = str(authn.harness.platform.rows("select row_to_json(l)::text from kernel.log l"))
        stored += str(authn.harness.platform.rows("select row_to_json(s)::text from authn.secrets s"))
        stored += str(authn.harness.platform.rows("select row_to_json(f)::text from authn.first_credential f"))

        assert not any(text in stored + caplog.text for text in (credential, secret))


def _kid(token: str) -> str:
    head = token.split(".")[0]
    found: str = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
    return found
