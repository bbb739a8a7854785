"""The door for HTTP: runs and workflows of the caller's company."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from ecosystem.contracts.orchestrator import RunState
from ecosystem.kernel.http.pagination import Cursor, Limit, Page, moment_and_id, page_of
from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.services.orchestrator.model import Run
from ecosystem.services.orchestrator.schemas import RunListed, RunShown, WorkflowShown, WorkflowsShown
from ecosystem.services.orchestrator.service import WorkflowService
from ecosystem.workflow.model import Definition

Reader = Annotated[Principal, Depends(requires("runs:read", company=True))]
Writer = Annotated[Principal, Depends(requires("runs:write", company=True))]


def router(service: WorkflowService) -> APIRouter:
    routes = APIRouter(tags=["runs"])

    @routes.get("/v1/runs")
    async def list_runs(
        _: Reader, state: RunState | None = None,
        workflow: Annotated[str | None, Query(max_length=100, pattern=r"^[a-z0-9_]+$")] = None,
        limit: Limit = 50, cursor: Cursor = None,
    ) -> Page[RunListed]:  # fmt: skip
        """Runs, newest first."""
        found = await service.page(state, workflow, _after(cursor), limit + 1)
        items, following = page_of(found, limit, lambda run: (run.created_at, run.run_id))
        return Page(items=[RunListed.model_validate(run) for run in items], next_cursor=following)

    @routes.get("/v1/runs/{run_id}")
    async def show_run(run_id: UUID, _: Reader) -> RunShown:
        """One run with every transition and step."""
        return _shown(await service.show(run_id))

    @routes.post("/v1/runs/{run_id}/cancel")
    async def cancel_run(run_id: UUID, _: Writer) -> RunShown:
        """End a run that is under way or stays in ERROR."""
        return _shown(await service.cancel(run_id))

    @routes.post("/v1/runs/{run_id}/retry")
    async def retry_run(run_id: UUID, _: Writer) -> RunShown:
        """Let a run that stays in ERROR go on after its finished steps."""
        return _shown(await service.retry(run_id))

    @routes.get("/v1/workflows")
    async def list_workflows(_: Annotated[Principal, Depends(requires("runs:read"))]) -> WorkflowsShown:
        """The workflows that can be started, each in its newest version."""
        return WorkflowsShown(items=[_workflow(definition) for definition in service.workflows()])

    return routes


def _shown(run: Run) -> RunShown:
    return RunShown.model_validate(run)


def _workflow(definition: Definition) -> WorkflowShown:
    return WorkflowShown(
        workflow=definition.workflow, version=definition.version, digest=definition.digest, title=definition.title,
        summary=definition.summary, input_schema=definition.schema.as_json(),
        agents=sorted({call.agent for call in definition.calls()}),
    )  # fmt: skip


def _after(cursor: str | None) -> tuple[str, str] | None:
    at, run_id = moment_and_id(cursor)
    return (at.isoformat(), str(run_id)) if at else None
