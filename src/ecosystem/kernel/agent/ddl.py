"""The table of recorded answers: one in each service's schema."""


def answers(schema: str) -> list[str]:
    """The statements that make it; the fence (row-level security, grants) is added by whoever calls.

    `fingerprint` is the SHA-256 of what was asked, so that one request_id cannot stand for two questions.
    """
    return [
        f"""create table {schema}.answers (
            company_id uuid not null,
            agent_id text not null,
            request_id text not null check (octet_length(request_id) between 1 and 200),
            fingerprint bytea not null,
            result text not null,
            recorded_at timestamptz not null default clock_timestamp(),
            primary key (company_id, agent_id, request_id)
        )""",
        f"create index answers_recorded_at on {schema}.answers using brin (recorded_at) with (autosummarize = on)",
        f"""create function {schema}.forget_answers(older_than interval, rows_max integer) returns bigint
            language sql security definer set search_path = {schema}, pg_temp as $$
                with gone as (
                    delete from {schema}.answers where ctid = any(array(
                        select ctid from {schema}.answers
                        where recorded_at < clock_timestamp() - older_than limit rows_max))
                    returning 1)
                select count(*) from gone
            $$""",  # noqa: S608 the schema is a word of the catalog
        f"revoke all on function {schema}.forget_answers(interval, integer) from public",
        f"grant execute on function {schema}.forget_answers(interval, integer) to eco_{schema}",
    ]
