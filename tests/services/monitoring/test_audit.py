"""Goal: the trail holds every deed once, behind the fence, and no change of it goes unseen.

Method: deeds on a real log; then somebody with all rights to the database changes the trail.
"""

from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from ecosystem.kernel import context
from ecosystem.kernel.audit.chain import digest_of, genesis, link
from ecosystem.kernel.http.principal import Principal
from ecosystem.kernel.messaging.runner import ConsumerRunner
from ecosystem.kernel.messaging.settings import MessagingSettings
from ecosystem.kernel.testing.harness import KernelHarness, ServiceHarness
from tests.kernel.db.fixtures import Platform
from tests.services.monitoring.conftest import GENEVA, GENEVAN, OPERATOR, ZURICH, ZURICHER, at_work

TARGETS = tuple(f"target-{number}" for number in range(8))


async def do(service: ServiceHarness, company: UUID | None = ZURICH, *, times: int = 40, user: str = "amy") -> None:
    """`times` deeds on eight targets, so that several chains grow."""
    kernel = service.kernel

    async def work() -> None:
        for number in range(times):
            await kernel.audit.record(
                "thing_changed", TARGETS[number % len(TARGETS)], before={"count": number}, after={"count": number + 1}
            )

    with context.scope(company_id=company, user_id=user, trace_id="cd" * 16):
        await kernel.database.run(work)


async def prove(service: ServiceHarness, principal: Principal = ZURICHER) -> dict[str, Any]:
    """The whole proof, in as many steps as it takes."""
    client = service.client(principal)
    found: dict[str, Any] = (await client.get("/v1/audit/proof")).json()
    while found["next_cursor"]:
        answer = await client.get("/v1/audit/proof", params={"cursor": found["next_cursor"]})
        assert answer.status_code == 200, answer.text
        found = answer.json()
    return found


def codes(proof: dict[str, Any]) -> set[str]:
    return {problem["code"] for problem in proof["problems"]}


@pytest.fixture
async def trail(harness: KernelHarness, monitoring: ServiceHarness) -> ServiceHarness:
    await do(monitoring)
    await harness.settle()
    return monitoring


class TestTrail:
    async def test_every_deed_is_found_with_who_what_and_from_where(self, trail: ServiceHarness) -> None:
        page = (await trail.client(ZURICHER).get("/v1/audit", params={"limit": 200})).json()
        entry = page["items"][0]

        assert len(page["items"]) == 40
        assert (entry["action"], entry["user_id"], entry["source"], entry["trace_id"]) == (
            "thing_changed", "amy", "monitoring-service", "cd" * 16,
        )  # fmt: skip
        assert entry["after"]["count"] == entry["before"]["count"] + 1
        assert (await trail.client(ZURICHER).get(f"/v1/audit/{entry['event_id']}")).json() == entry

    async def test_pages_meet_and_filters_narrow(self, harness: KernelHarness, trail: ServiceHarness) -> None:
        await do(trail, times=3, user="bob")
        await harness.settle()
        amy = trail.client(ZURICHER)
        seen: list[str] = []
        cursor = None
        while True:
            page = (await amy.get("/v1/audit", params={"limit": 9, **({"cursor": cursor} if cursor else {})})).json()
            seen += [item["event_id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break

        async def count(**asked: str) -> int:
            return len((await amy.get("/v1/audit", params={"limit": 200, **asked})).json()["items"])

        assert (len(seen), len(set(seen))) == (43, 43)
        assert await count(actor="bob") == 3
        assert await count(target="target-0") == 6
        assert await count(action="thing_changed", target="target-0", actor="bob") == 1
        assert await count(action="nothing") == 0
        assert await count(since="2026-03-02T12:00:00") == 43
        assert await count(until="2026-03-02T12:00:00Z") == 0

    async def test_trails_are_fenced(self, harness: KernelHarness, trail: ServiceHarness) -> None:
        await do(trail, None, times=5)
        await harness.settle()
        zoe, ops = trail.client(GENEVAN), trail.client(OPERATOR)
        one = (await trail.client(ZURICHER).get("/v1/audit")).json()["items"][0]

        assert (await zoe.get("/v1/audit")).json()["items"] == []
        assert (await zoe.get(f"/v1/audit/{one['event_id']}")).status_code == 404
        assert len((await ops.get("/v1/audit")).json()["items"]) == 5
        assert (await ops.get(f"/v1/audit/{one['event_id']}")).status_code == 404
        assert (await prove(trail, GENEVAN))["whole"]
        assert ((await prove(trail, OPERATOR))["walked"], (await prove(trail))["walked"]) == (5, 40)

    async def test_a_replay_of_the_log_doubles_nothing(
        self, harness: KernelHarness, trail: ServiceHarness, platform: Platform
    ) -> None:
        with psycopg.connect(platform.admin_url, autocommit=True) as admin:
            admin.execute("delete from monitoring.inbox")
            admin.execute("update monitoring.cursors set epoch = 0, xid = '0', id = 0, recorded_at = '-infinity'")
        await harness.settle()

        assert platform.rows("select count(*) from monitoring.audit_entries") == [(40,)]
        assert (await prove(trail))["whole"]

    async def test_replicas_at_once_make_one_order_for_each_chain(
        self, monitoring: ServiceHarness, platform: Platform
    ) -> None:
        for _ in range(5):
            await do(monitoring, times=40)
            await do(monitoring, GENEVA, times=40)
        consumer = next(one for one in monitoring.service.consumers if one.name == "monitoring-audit")
        runners = [
            ConsumerRunner(monitoring.kernel.database, consumer, MessagingSettings(), shuffle=lambda slots: None)
            for _ in range(3)
        ]
        await at_work(runners, lambda: platform.rows("select count(*) from monitoring.audit_entries") == [(400,)])

        proofs = [await prove(monitoring), await prove(monitoring, GENEVAN)]
        assert [(one["whole"], one["walked"], one["compared"]) for one in proofs] == [(True, 200, 200)] * 2


class TestProof:
    async def test_an_untouched_trail_is_whole(self, trail: ServiceHarness) -> None:
        proof = await prove(trail)

        assert (proof["whole"], proof["walked"], proof["compared"], proof["waiting"]) == (True, 40, 40, 0)

    async def test_a_deed_that_is_not_consumed_yet_waits_and_breaks_nothing(self, trail: ServiceHarness) -> None:
        await do(trail, times=2)
        proof = await prove(trail)

        assert (proof["whole"], proof["compared"], proof["waiting"]) == (True, 40, 2)

    @pytest.mark.parametrize(
        ("statement", "expected"),
        [
            ("update monitoring.audit_entries set action = 'thing_seen' where {one}", {"altered", "differs_from_log"}),
            ("update monitoring.audit_entries set user_id = 'bob' where {one}", {"altered", "differs_from_log"}),
            ("update monitoring.audit_entries set before = null where {one}", {"altered", "differs_from_log"}),
            ("update monitoring.audit_entries set happened_at = happened_at + interval '1 microsecond' where {one}",
             {"altered", "differs_from_log"}),
            ("update monitoring.audit_entries set hash = sha256(hash) where {one}", {"altered"}),
            ("delete from monitoring.audit_entries where {one}", {"gap", "missing"}),
            ("delete from monitoring.audit_entries where (chain, number) in (select chain, number from"
             " monitoring.audit_heads)", {"cut_off", "missing"}),
            ("with gone as (delete from monitoring.audit_entries where {last} returning *) update"
             " monitoring.audit_heads h set number = e.number, hash = e.hash from monitoring.audit_entries e, gone g"
             " where h.chain = g.chain and e.chain = g.chain and e.number = g.number - 1", {"missing"}),
            ("delete from monitoring.audit_entries; delete from monitoring.audit_heads", {"missing"}),
            ("delete from monitoring.audit_heads", {"head_differs"}),
            ("update monitoring.audit_heads set hash = sha256(hash)", {"head_differs"}),
            ("update monitoring.audit_entries set number = 1000 where {one};"
             " update monitoring.audit_entries set number = 2 where chain = {chain} and number = 3;"
             " update monitoring.audit_entries set number = 3 where chain = {chain} and number = 1000", {"altered"}),
        ],
    )  # fmt: skip
    async def test_whoever_writes_past_the_service_is_found_out(
        self, trail: ServiceHarness, platform: Platform, statement: str, expected: set[str]
    ) -> None:
        chain = platform.rows("select min(chain) from monitoring.audit_entries")[0][0]
        where = {
            "one": f"chain = {chain} and number = 2", "chain": chain,
            "last": f"chain = {chain} and number = (select number from monitoring.audit_heads where chain = {chain})",
        }  # fmt: skip
        with psycopg.connect(platform.admin_url, autocommit=True) as admin:
            admin.execute(statement.format(**where))
        proof = await prove(trail)

        assert not proof["whole"]
        assert codes(proof) == expected

    async def test_a_trail_that_was_written_anew_differs_from_the_log(
        self, trail: ServiceHarness, platform: Platform
    ) -> None:
        """All hashes and heads made again over a changed content: the chain alone would be whole."""
        with psycopg.connect(platform.admin_url, autocommit=True) as admin:
            admin.execute("update monitoring.audit_entries set user_id = 'bob'")
            rewrite(admin)
        proof = await prove(trail)

        assert (proof["whole"], codes(proof)) == (False, {"differs_from_log"})

    async def test_an_entry_that_no_deed_made_is_found(self, trail: ServiceHarness, platform: Platform) -> None:
        with psycopg.connect(platform.admin_url, autocommit=True) as admin:
            admin.execute(
                "insert into monitoring.audit_entries select (e).* from (select jsonb_populate_record(e,"
                " jsonb_build_object('number', e.number + 1, 'event_id', gen_random_uuid())) e"
                " from monitoring.audit_entries e"
                " join monitoring.audit_heads h using (company_id, chain, number)) made"
            )
            rewrite(admin)

        assert codes(await prove(trail)) == {"not_in_log"}

    async def test_the_service_itself_cannot_change_an_entry(self, trail: ServiceHarness, platform: Platform) -> None:
        with psycopg.connect(platform.url("eco_monitoring"), autocommit=True) as service:
            for statement in ("update monitoring.audit_entries set number = 1", "delete from monitoring.audit_entries"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    service.execute(statement)

    @pytest.mark.parametrize("cursor", ["nonsense", "e30", "W10", "bnVsbA", "eyJoZWFkcyI6W1sxLDJdXSwiY2hhaW4iOjN9"])
    async def test_a_cursor_that_we_did_not_give_is_refused(self, trail: ServiceHarness, cursor: str) -> None:
        answer = await trail.client(ZURICHER).get("/v1/audit/proof", params={"cursor": cursor})

        assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")


def rewrite(admin: psycopg.Connection[Any]) -> None:
    """Make every hash and head anew, as somebody who knows how would."""
    with admin.cursor(row_factory=dict_row) as cursor:
        cursor.execute("select * from monitoring.audit_entries order by chain, number")
        rows = cursor.fetchall()
    previous: dict[int, bytes] = {}
    for row in rows:
        before = previous.get(row["chain"], genesis(row["company_id"], row["chain"]))
        made = previous[row["chain"]] = link(before, digest_of(row))
        place = (row["chain"], row["number"])
        admin.execute("update monitoring.audit_entries set hash = %s where chain = %s and number = %s", (made, *place))
        admin.execute("update monitoring.audit_heads set hash = %s, number = %s where chain = %s",
                      (made, row["number"], row["chain"]))  # fmt: skip
