"""Companies, clients, their secrets, the signing keys, the first administrator's credential."""

from alembic import op

from ecosystem.kernel.db.ddl import fence, grant_service, kernel_tables

revision, down_revision = "0001_identity", None

TABLES = """
create table authn.companies (
  company_id uuid primary key,
  name text not null check (length(name) between 1 and 200),
  region text not null,
  time_zone text not null,
  locale text not null,
  currency text not null check (length(currency) = 3),
  created_at timestamptz not null
);

-- The platform's own clients have company 00000000-0000-0000-0000-000000000000.
create table authn.clients (
  company_id uuid not null,
  client_id text not null,
  name text not null check (length(name) between 1 and 200),
  roles text[] not null,
  agents text[] not null,
  created_at timestamptz not null,
  revoked_at timestamptz,
  primary key (company_id, client_id)
);
create index clients_by_time on authn.clients (company_id, created_at, client_id);

create table authn.secrets (
  company_id uuid not null,
  secret_id uuid not null,
  client_id text not null,
  digest bytea not null check (length(digest) = 32),
  created_at timestamptz not null,
  expires_at timestamptz,
  primary key (company_id, secret_id),
  foreign key (company_id, client_id) references authn.clients (company_id, client_id)
);
create index secrets_by_client on authn.secrets (company_id, client_id);

create table authn.signing_keys (
  key_id text primary key,
  public jsonb not null,
  private_sealed bytea not null,
  created_at timestamptz not null,
  signs_from timestamptz not null
);

create table authn.first_credential (
  single boolean primary key default true check (single),
  digest bytea not null,
  made_at timestamptz not null,
  used_at timestamptz
);
"""

# What has to look past the fence, each with one question: who presents a secret, whose client is this, and the
# platform's own listing of companies. `exists` never tells more than one company at a time.
FUNCTIONS = """
create function authn.find_client(wanted text) returns table (
  company_id uuid, client_id text, name text, roles text[], agents text[], created_at timestamptz,
  revoked_at timestamptz
) language sql stable security definer set search_path = authn, pg_temp as $f$
  select c.company_id, c.client_id, c.name, c.roles, c.agents, c.created_at, c.revoked_at
  from authn.clients c where c.client_id = wanted
$f$;

create function authn.find_company(wanted uuid) returns setof authn.companies
language sql stable security definer set search_path = authn, pg_temp as $f$
  select * from authn.companies c where c.company_id = wanted
$f$;

create function authn.all_companies(after_at timestamptz, after_id uuid, rows_max integer)
returns setof authn.companies
language sql stable security definer set search_path = authn, pg_temp as $f$
  select * from authn.companies c
  where after_at is null or (c.created_at, c.company_id) < (after_at, after_id)
  order by c.created_at desc, c.company_id desc limit rows_max
$f$;
"""


def upgrade() -> None:
    for statement in kernel_tables("authn"):
        op.execute(statement)
    op.execute(TABLES)
    op.execute("create unique index clients_by_id on authn.clients (client_id)")
    op.execute("create index companies_by_time on authn.companies (created_at, company_id)")
    for table in ("companies", "clients", "secrets"):
        op.execute(fence(f"authn.{table}"))
    op.execute(FUNCTIONS)
    for function in ("find_client(text)", "find_company(uuid)", "all_companies(timestamptz, uuid, integer)"):
        op.execute(f"revoke execute on function authn.{function} from public")
        op.execute(f"grant execute on function authn.{function} to eco_authn")
    op.execute(grant_service("authn"))


def downgrade() -> None:
    raise RuntimeError("Clients and keys are never taken back: restore a backup instead.")
