"""A small service for tests of the kernel: one reading, one effect, routes of every kind."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict

from ecosystem.kernel.agent.call import Call
from ecosystem.kernel.agent.card import AgentCard, AgentType, Limits, Prompt, Result, Task
from ecosystem.kernel.agent.host import AgentHost
from ecosystem.kernel.errors import Invalid
from ecosystem.kernel.http.limits import body_limit
from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.kernel.messaging.consumer import Consumer
from ecosystem.kernel.messaging.event import Envelope, Event
from ecosystem.kernel.runtime.contracts import ContractIndex
from ecosystem.kernel.runtime.service import Kernel, Service

NAME, SCHEMA = "events-service", "events"
COMPANY = UUID("00000000-0000-7000-8000-00000000000a")
OTHER = UUID("00000000-0000-7000-8000-00000000000b")


class Measured(Result):
    length: int


class Measure(Task, request_type="measure", result=Measured):
    text_id: str
    ask: str = ""


class Noted(Result):
    note_id: UUID
    count: int


class Note(Task, request_type="note", result=Noted, effect=True):
    note_id: UUID
    ask: str = ""


class NoteTaken(Event, event_type="note_taken", subject="note_id"):
    note_id: UUID


def card(agent_id: str, service: str, *tasks: type[Task], seconds: float = 5, clients: bool = False) -> AgentCard:
    return AgentCard(
        id=agent_id, service=service, type=AgentType.DOMAIN, purpose="Tests.", tasks=tasks, clients=clients,
        prompt=Prompt(system="You are a test."), limits=Limits(timeout_seconds=seconds), callers=("asking-agent",),
    )  # fmt: skip


SMALL = card("small-agent", NAME, Measure, Note, clients=True).model_copy(update={"consumers": ("small.notes",)})
ASKING = card("asking-agent", "postgres-service")
AGENTS = {item.id: item for item in (SMALL, ASKING)}
CONTRACTS = ContractIndex(AGENTS, {"note_taken": NoteTaken}, frozenset({NAME, "postgres-service"}))

Hook = Callable[[str], Awaitable[None]]


async def no_hook(_: str) -> None:
    """Nothing happens on the way."""


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: int


class Small:
    """What was done, for a test to look at. `hook` is called with the name of each place that is passed."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.hook: Hook = no_hook
        self.handled: list[str] = []
        self.consumed: list[UUID] = []

    async def measure(self, task: Measure, call: Call) -> Measured:
        self.handled.append(call.request_id)
        await self.hook("measure")
        if task.ask == "crash":
            raise ValueError(f"secret of {task.text_id}")
        return Measured(length=len(task.text_id))

    async def note(self, task: Note, call: Call) -> Noted:
        self.handled.append(call.request_id)
        await self.hook("before")

        async def work() -> Noted:
            await self.kernel.outbox.add(NoteTaken(note_id=task.note_id))
            await self.hook("inside")
            if task.ask == "invalid":
                raise Invalid("A note is refused.")
            return Noted(note_id=task.note_id, count=len(self.handled))

        if task.ask == "forgets":
            return Noted(note_id=task.note_id, count=0)
        noted = await call.commit(work)
        await self.hook("after")
        return noted

    async def consume(self, envelope: Envelope) -> None:
        self.consumed.append(envelope.read(NoteTaken).note_id)


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/v1/things/{thing_id}")
    async def thing(thing_id: str, principal: Annotated[Principal, Depends(requires("things:read"))]) -> dict[str, str]:
        return {"thing_id": thing_id, "client_id": principal.client_id}

    @router.post("/v1/things")
    async def make(body: Body, _: Annotated[Principal, Depends(requires("things:write", company=True))]) -> int:
        return body.count

    @router.post("/v1/files")
    @body_limit(100_000)
    async def upload(request: Request) -> int:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
        return size

    @router.get("/v1/crash")
    async def crash() -> None:
        raise ValueError("the password is hunter2")

    return router


def build_small(kernel: Kernel) -> tuple[Small, Service]:
    small = Small(kernel)
    agents = (AgentHost(SMALL, {Measure: small.measure, Note: small.note}),)
    consumers = (Consumer("small.notes", {NoteTaken: small.consume}),)
    return small, Service(NAME, routers=(routes(),), agents=agents, consumers=consumers)
