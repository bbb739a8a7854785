"""The door for agent tasks."""

from ecosystem.contracts.orchestrator import RetryRun, RunStarted, StartRun
from ecosystem.kernel.agent.call import Call
from ecosystem.services.orchestrator.service import WorkflowService


class Handlers:
    def __init__(self, service: WorkflowService) -> None:
        self._service = service

    async def start_run(self, task: StartRun, call: Call) -> RunStarted:
        """Start a workflow once for each key. Raises WorkflowUnknown, InputRefused."""

        async def start() -> RunStarted:
            return RunStarted(run_id=await self._service.start(task.workflow, task.input, task.key))

        return await call.commit(start)

    async def retry_run(self, task: RetryRun, call: Call) -> RunStarted:
        """Go on with a failed run, once. Raises RunUnknown, RunNotFailed, RunForgotten, InputRefused."""

        async def again() -> RunStarted:
            if task.input is not None:
                return RunStarted(run_id=await self._service.replace(task.run_id, task.input))
            return RunStarted(run_id=(await self._service.retry(task.run_id)).run_id)

        return await call.commit(again)
