"""The tables that a consumer keeps in its service's schema: inbox, cursors, parked events."""


def bookkeeping(schema: str) -> list[str]:
    """The statements that make them. They hold positions and ids of all companies, so they carry no fence.

    A lane is `company/subject`: the events that keep their order among each other.
    """
    return [
        f"""create table {schema}.cursors (
            consumer text not null,
            slot smallint not null check (slot between 0 and 15),
            epoch integer not null default 0,
            xid xid8 not null default '0',
            id bigint not null default 0,
            recorded_at timestamptz not null default '-infinity',
            updated_at timestamptz not null default clock_timestamp(),
            primary key (consumer, slot)
        ) with (fillfactor = 50)""",
        f"""create table {schema}.inbox (
            consumer text not null,
            event_id uuid not null,
            handled_at timestamptz not null default clock_timestamp(),
            primary key (consumer, event_id)
        )""",
        f"""create table {schema}.parked (
            consumer text not null,
            lane text not null,
            slot smallint not null,
            epoch integer not null,
            xid xid8 not null,
            id bigint not null,
            recorded_at timestamptz not null,
            event_id uuid not null,
            attempts integer not null,
            next_at timestamptz not null,
            code text not null,
            parked_at timestamptz not null default clock_timestamp(),
            primary key (consumer, epoch, xid, id)
        )""",
        f"create index parked_lanes on {schema}.parked (consumer, lane, epoch, xid, id)",
    ]
