"""A composed service behind its doors: what serves it as a process and what serves it to tests use the same."""

from dataclasses import dataclass
from datetime import timedelta

from fastapi import FastAPI

from ecosystem.kernel.agent.answers import Answers
from ecosystem.kernel.agent.card import AgentType
from ecosystem.kernel.agent.delivery import EventIntake
from ecosystem.kernel.agent.handling import Handling
from ecosystem.kernel.agent.settings import AgentSettings
from ecosystem.kernel.http.app import create_app
from ecosystem.kernel.http.door import Door, Guards
from ecosystem.kernel.http.health import Health
from ecosystem.kernel.http.settings import HttpSettings
from ecosystem.kernel.messaging.runner import ConsumerRunner
from ecosystem.kernel.runtime.agent_door import AgentDoor
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.runtime.service import Job, Kernel, Service


@dataclass(frozen=True)
class Hosted:
    """`door` is the ASGI application. `jobs` are the service's and the kernel's own."""

    kernel: Kernel
    service: Service
    handling: Handling
    door: Door
    jobs: tuple[Job, ...]


DIRECT_JOB = "deliver-late-events"


def assemble(kernel: Kernel, service: Service, contracts: ContractIndex, guards: Guards, health: Health) -> Hosted:
    settings = kernel.source.get(AgentSettings)
    answers = Answers(kernel.database)
    handling = _handling(kernel, service, contracts, answers)
    _take_events(kernel, service)
    app = _application(kernel, service, contracts, handling, health.version)
    guarded = Door(
        app, guards, health, settings=kernel.source.get(HttpSettings), metrics=kernel.metrics,
        calls_at_work=lambda: handling.active,
    )  # fmt: skip
    jobs = (*service.jobs, Job(DIRECT_JOB, timedelta(seconds=1), kernel.late.look, single=False))
    if any(task.effect for host in service.agents for task in host.card.tasks):

        async def forget() -> None:
            await answers.forget(settings.answers_kept.total_seconds())

        jobs = (*jobs, Job("forget-recorded-answers", timedelta(hours=1), forget))
    return Hosted(kernel, service, handling, guarded, jobs)


def application(kernel: Kernel, service: Service, contracts: ContractIndex, version: str) -> FastAPI:
    """The same routes as `assemble` serves, for whoever describes them."""
    handling = _handling(kernel, service, contracts, Answers(kernel.database))
    return _application(kernel, service, contracts, handling, version)


def _handling(kernel: Kernel, service: Service, contracts: ContractIndex, answers: Answers) -> Handling:
    return Handling(
        service.agents, contracts.agents, answers, settings=kernel.source.get(AgentSettings), clock=kernel.clock,
        policies=kernel.policies, metrics=kernel.metrics,
    )  # fmt: skip


def _application(
    kernel: Kernel, service: Service, contracts: ContractIndex, handling: Handling, version: str
) -> FastAPI:
    routers = list(service.routers)
    if service.agents:
        # Who carries workflows may ask any agent, so requests for agents of other services go through it.
        forward = next((host.card.id for host in service.agents if host.card.type is AgentType.WORKFLOW), None)
        door = AgentDoor(
            handling, contracts.agents, kernel.agents, kernel.clock, forward=forward, policies=kernel.policies
        )
        routers.append(door.router)
    return create_app(service.name, version, routers)


def _take_events(kernel: Kernel, service: Service) -> None:
    """Have the agents that take events directly hand them to the service's consumers."""
    runners = {consumer.name: ConsumerRunner(kernel.database, consumer) for consumer in service.consumers}
    for host in service.agents:
        if host.card.consumers:
            host.take_events(EventIntake(runners).take)
