"""The table of wrapped keys: one in each service's schema."""


def data_keys(schema: str) -> list[str]:
    """The statements that make it; the fence (row-level security, grants) is added by whoever calls.

    `subject` is empty for the company's own key. `parent_version` is the version of the key that wraps this one: of
    the master key for a company's, of the company's key for a subject's. A destroyed key leaves its row, so that
    nobody makes another one under the same name by accident.
    """
    return [
        f"""create table {schema}.data_keys (
            company_id uuid not null,
            subject text not null check (octet_length(subject) <= 200),
            version integer not null check (version > 0),
            parent_version integer not null check (parent_version > 0),
            wrapped bytea check (octet_length(wrapped) <= 200),
            created_at timestamptz not null default clock_timestamp(),
            destroyed_at timestamptz,
            primary key (company_id, subject, version),
            check ((wrapped is null) = (destroyed_at is not null))
        )""",
        f"""create function {schema}.companies_with_older_keys(version_below integer) returns setof uuid
            language sql stable security definer set search_path = {schema}, pg_temp as $$
                select distinct company_id from {schema}.data_keys
                where subject = '' and parent_version < version_below and wrapped is not null
            $$""",  # noqa: S608 the schema is a word of the catalog
    ]
