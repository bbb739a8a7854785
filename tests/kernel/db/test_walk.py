"""Goal: no table forgets the fence. Method: a walk over the migrated database of every service."""

from typing import Any

import psycopg
import pytest

from tests.kernel.db.fixtures import TEMPLATE, PlatformCluster

OURS = "n.nspname !~ '^(pg_|information_schema|absurd|public)'"
TENANT = f"""
select c.oid, n.nspname || '.' || c.relname as name, n.nspname as schema, c.relrowsecurity, c.relforcerowsecurity
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and not c.relispartition and {OURS}
and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'company_id' and not a.attisdropped)
"""
# Read past the fence, by functions with the owner's rights that answer one question each: whose client presents this
# secret, and the platform's own list of companies. Client ids are random, so that their uniqueness tells nothing.
PAST_THE_FENCE = {"authn.clients_by_id", "authn.companies_by_time"}


@pytest.fixture(scope="module")
def look(platform_cluster: PlatformCluster) -> Any:
    with psycopg.connect(platform_cluster.admin_url(TEMPLATE), autocommit=True) as connection:
        yield lambda statement: connection.execute(statement).fetchall()


def test_every_table_with_a_company_is_fenced_by_force(look: Any) -> None:
    tables = look(TENANT)
    open_ones = [name for _, name, _, enabled, forced in tables if not (enabled and forced)]

    assert len(tables) > 5
    assert open_ones == []


def test_every_policy_of_a_service_asks_for_its_company(look: Any) -> None:
    """Beside the owner's policies, each is bound to the company of the transaction, in reading and in writing."""
    loose = look(
        f"""select t.name, p.polname::text, pg_get_expr(p.polqual, p.polrelid)
        from ({TENANT}) t join pg_policy p on p.polrelid = t.oid
        where not (p.polroles <@ (select array_agg(oid) from pg_roles where rolname in ('eco_owner', 'eco_relay')))
        and coalesce(pg_get_expr(p.polqual, p.polrelid), '') || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '')
            not like '%eco.company_id%'"""
    )

    assert loose == []


def test_every_tenant_table_of_a_service_has_a_policy_for_its_login(look: Any) -> None:
    closed = look(
        f"""select t.name from ({TENANT}) t where t.schema <> 'kernel' and not exists (
            select from pg_policy p join pg_roles r on r.oid = any(p.polroles)
            where p.polrelid = t.oid and r.rolname = 'eco_' || t.schema)"""
    )

    assert closed == []


def test_every_index_of_a_tenant_table_begins_with_the_company(look: Any) -> None:
    """Only leakproof operators may use an index beside the fence, and a unique key would tell of other companies.

    A block range index (BRIN) is neither: it is for the functions that forget by age, of all companies.
    """
    strangers = look(
        f"""select t.name, i.indexrelid::regclass::text
        from ({TENANT}) t join pg_index i on i.indrelid = t.oid
        join pg_attribute a on a.attrelid = t.oid and a.attnum = i.indkey[0]
        join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
        where a.attname <> 'company_id' and t.schema <> 'kernel' and m.amname <> 'brin'"""
    )

    assert {index for _, index in strangers} <= PAST_THE_FENCE


def test_every_reference_between_tenant_tables_carries_the_company(look: Any) -> None:
    """References are checked past the fence: without the company a row could point across."""
    crossing = look(
        f"""select f.conname::text from pg_constraint f
        join ({TENANT}) t on t.oid = f.conrelid join ({TENANT}) o on o.oid = f.confrelid
        where f.contype = 'f' and not exists (
            select from pg_attribute a where a.attrelid = f.conrelid and a.attnum = any(f.conkey)
            and a.attname = 'company_id')"""
    )

    assert crossing == []


def test_every_function_with_the_owners_rights_has_a_search_path(look: Any) -> None:
    loose = look(
        f"""select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where p.prosecdef and {OURS} and not exists (
            select from unnest(p.proconfig) c where c like 'search_path=%pg_temp')"""
    )

    assert loose == []


def test_nothing_is_granted_to_everyone(look: Any) -> None:
    granted = look(
        f"""select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace,
        aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g where {OURS} and g.grantee = 0
        union all select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace,
        aclexplode(c.relacl) g where {OURS} and g.grantee = 0
        union all select n.nspname::text from pg_namespace n, aclexplode(n.nspacl) g where {OURS} and g.grantee = 0"""
    )

    assert granted == []


def test_no_login_reaches_the_schema_of_another(look: Any) -> None:
    crossing = look(
        f"""select r.rolname::text, n.nspname::text from pg_roles r, pg_namespace n
        where {OURS} and n.nspname <> 'kernel' and r.rolcanlogin and r.rolname like 'eco\\_%'
        and r.rolname not in ('eco_' || n.nspname, 'eco_backup') and has_schema_privilege(r.oid, n.oid, 'usage')
        and exists (select from pg_namespace own where 'eco_' || own.nspname = r.rolname)"""
    )

    assert crossing == []


def test_no_login_bypasses_the_fence_but_the_backup(look: Any) -> None:
    found = look("select rolname::text from pg_roles where (rolbypassrls or rolsuper) and rolname like 'eco\\_%'")

    assert found == [("eco_backup",)]
