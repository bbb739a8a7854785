"""What the checker asks the platform's tables, past every fence: each row of an answer is something wrong."""

UNDER_WAY: dict[str, str] = {
    "run {0} is still {1}": "select run_id, status || ' in ' || state from orchestrator.runs where status = 'running'",
    "task {0} is still {1}": """
        select task_id, state from absurd.t_orchestrator where state in ('pending', 'running', 'sleeping')
    """,
    "a transaction of {0} has been idle for {1}": """
        select coalesce(usename, '?'), clock_timestamp() - state_change from pg_stat_activity
         where state like 'idle in transaction%' and state_change < clock_timestamp() - interval '5 seconds'
    """,
    "document {0} is still {1}; its run: {2}": """
        select d.document_id, d.status, coalesce((
            select string_agg(concat_ws(' ', r.run_id, r.status, r.code, r.reason, t.state, t.attempts), '; ')
              from orchestrator.runs r left join absurd.t_orchestrator t on t.task_id = r.run_id
             where r.input->>'document_id' = d.document_id::text), 'none')
          from creditx.documents d where d.status not in ('completed', 'failed')
    """,
    "message {0} is still {1} after {2} attempts, {3}": """
        select notification_id, state, attempts, coalesce(problem, 'without a problem') from monitoring.notifications
         where state in ('waiting', 'sending')
    """,
}
"""What may be seen while work goes on, and must be gone when it has ended."""

CONSUMERS = "select name, schema::text, types from kernel.consumers order by name"

_ONCE = (
    "compliance_document_created", "compliance_document_processed", "compliance_document_failed",
    "compliance_document_review_requested", "company_created", "client_created", "workflow_run_completed",
)  # fmt: skip

WRONG: tuple[tuple[str, str, str], ...] = (
    ("doubled", "event {0} stands {1} times in the log",
     "select event_id, count(*) from kernel.log group by event_id having count(*) > 1"),
    ("doubled", "{0} of {1} stands {2} times in the log",
     f"""select type, subject, count(*) from kernel.log where type in {_ONCE}
          group by type, subject having count(*) > 1"""),
    ("doubled", "the deed {0} on {1} was recorded {2} times",
     """select data->>'action', subject, count(*) from kernel.log
         where type = 'audit_recorded' and data->>'action' in ('document_uploaded', 'document_completed',
               'document_failed')
         group by 1, 2 having count(*) > 1"""),
    ("doubled", "document {0} has {1} runs",
     """select input->>'document_id', count(*) from orchestrator.runs
         where workflow = 'compliance_document_ingestion' group by 1 having count(*) > 1"""),
    ("doubled", "step {1} of run {0} was done {2} times",
     """select run_id, path || coalesce(' pass ' || pass, ''), count(*) from orchestrator.steps
         where code is null group by 1, 2 having count(*) > 1"""),
    ("doubled", "run {0} came {2} times to {1}",
     """select run_id, state, count(*) from orchestrator.transitions group by 1, 2
        having count(*) > case state when 'IDLE' then 2 else 1 end"""),
    ("lost", "run {0} completed and nobody was told",
     """select run_id from orchestrator.runs r where status = 'completed' and not exists (
          select from kernel.log l where l.type = 'workflow_run_completed' and l.subject = r.run_id::text)"""),
    ("doubled", "run {0} is {1} and was told to be completed",
     """select run_id, status from orchestrator.runs r where status <> 'completed' and exists (
          select from kernel.log l where l.type = 'workflow_run_completed' and l.subject = r.run_id::text)"""),
    ("stuck", "{0} gave up {1} of {2}: {3}",
     "select consumer, type, subject, code from kernel.dead_letters where redelivered_at is null"),
    ("doubled", "the archive {0} holds {1} events of {2} in the log",
     """select a.archive, a.kept, coalesce(l.logged, 0) from (
          select archive, sum(kept) as kept from (
            select archive, count(*) as kept from events.pending group by 1
            union all select archive, sum(events) from events.files group by 1) k group by 1) a
          left join (select coalesce(company_id::text, 'platform') as archive, count(*) as logged
                       from kernel.log group by 1) l using (archive)
         where a.kept > coalesce(l.logged, 0)"""),
    ("lost", "the archive {0} holds {1} events of {2} in the log",
     """select l.archive, coalesce(a.kept, 0), l.logged from (
          select coalesce(company_id::text, 'platform') as archive, count(*) as logged from kernel.log group by 1) l
          left join (select archive, sum(kept) as kept from (
            select archive, count(*) as kept from events.pending group by 1
            union all select archive, sum(events) from events.files group by 1) k group by 1) a using (archive)
         where coalesce(a.kept, 0) < l.logged"""),
    ("leaked", "event {0} of {1} waits in the archive {2}",
     """select p.event_id, coalesce(l.company_id::text, 'platform'), p.archive from events.pending p
          join kernel.log l using (event_id) where p.archive <> coalesce(l.company_id::text, 'platform')"""),
    ("leaked", "run {0} of company {1} works on a document of {2}",
     """select r.run_id, r.company_id, d.company_id from orchestrator.runs r
          join creditx.documents d on d.document_id::text = r.input->>'document_id'
         where r.company_id <> d.company_id"""),
    ("leaked", "an event about {0} of {1} was written for {2}",
     """select d.document_id, d.company_id, l.company_id from kernel.log l
          join creditx.documents d on d.document_id::text = l.subject
         where l.company_id is distinct from d.company_id"""),
    ("leaked", "the habits of {0} are kept for {1}",
     """select l.subject, c.company_id from creditx.companies c
          left join kernel.log l on l.type = 'company_created' and l.subject = c.company_id::text
         where l.subject is null"""),
    ("lost", "company {0} is not known to creditx",
     """select l.subject from kernel.log l where l.type = 'company_created'
           and not exists (select from creditx.companies c where c.company_id::text = l.subject)"""),
)  # fmt: skip
"""Verdict, sentence, statement."""

_PROMISED = "with promised as (select * from unnest(%s::text[], %s::text[]) p (document, company)) "

WRONG_OF_DOCUMENTS: tuple[tuple[str, str, str], ...] = (
    ("lost", "document {0} was accepted and is in no table",
     _PROMISED + "select document from promised where not exists (select from creditx.documents d"
     " where d.document_id::text = document and d.company_id::text = company)"),
    ("doubled", "document {0} of {1} is there and was never promised",
     _PROMISED + "select document_id, company_id from creditx.documents d where not exists ("
     "select from promised where document = d.document_id::text)"),
    ("lost", "document {0} was accepted and its event is not in the log",
     _PROMISED + "select document from promised where not exists (select from kernel.log l"
     " where l.type = 'compliance_document_created' and l.subject = document and l.company_id::text = company)"),
    ("stuck", "document {0} has no published outcome",
     _PROMISED + "select document from promised where not exists (select from kernel.log l"
     " where l.type in ('compliance_document_processed', 'compliance_document_failed') and l.subject = document)"),
    ("doubled", "document {0} has two published outcomes",
     _PROMISED + "select document from promised where 1 < (select count(*) from kernel.log l"
     " where l.type in ('compliance_document_processed', 'compliance_document_failed') and l.subject = document)"),
    ("lost", "document {0} has no run",
     _PROMISED + "select document from promised where not exists (select from orchestrator.runs r"
     " where r.input->>'document_id' = document and r.company_id::text = company)"),
    ("lost", "the key of document {0} is gone",
     _PROMISED + "select document from promised where not exists (select from creditx.data_keys k"
     " where k.subject like '%%' || document and k.wrapped is not null)"),
)  # fmt: skip
"""The same, of the documents that were promised and the companies that they were promised to."""


def not_handled(schema: str) -> str:
    """The events that a consumer wants and its inbox does not have; takes its name and, twice, its types."""
    return (
        "select l.event_id, l.type, l.subject from kernel.log l"
        f" left join {schema}.inbox i on i.consumer = %s and i.event_id = l.event_id"
        " where i.event_id is null and (%s::text[] is null or l.type = any(%s::text[])) order by l.xid, l.id"
    )


def parked(schema: str) -> str:
    """What failed and waits to be tried again; takes a consumer's name."""
    return f"select lane, attempts, code from {schema}.parked where consumer = %s"


def handled_nothing(schema: str) -> str:
    """What stands in a consumer's inbox and in no log; takes its name."""
    return (
        f"select i.event_id from {schema}.inbox i left join kernel.log l on l.event_id = i.event_id"
        " where i.consumer = %s and l.event_id is null"
    )
