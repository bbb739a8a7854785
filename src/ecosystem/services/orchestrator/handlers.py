"""The door for agent tasks."""

from ecosystem.contracts.orchestrator import RunStarted, StartRun
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
