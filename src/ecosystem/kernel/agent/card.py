"""Agents as data: tasks, results and cards. Light: pydantic only, so that contracts may use it."""

import builtins
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field


class Result(BaseModel):
    """What a task answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Task(BaseModel):
    """What an agent is asked, in the imperative.

        class ValidateDocument(Task, request_type="validate_document", result=DocumentValidated): ...

    `effect=True` declares that handling changes something: its response is recorded in the transaction of
    the effect, and a request_id seen before returns that record. `repeatable=True` declares a reading of what never
    changes: asking again gives the same answer, though nobody recorded it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    request_type: ClassVar[str]
    result: ClassVar[type[Result]]
    effect: ClassVar[bool]
    repeatable: ClassVar[bool]

    @classmethod
    def __pydantic_init_subclass__(
        cls, *, request_type: str = "", result: type[Result] = Result, effect: bool = False, repeatable: bool = False,
        **_: Any,
    ) -> None:  # fmt: skip
        if request_type:
            cls.request_type, cls.result = request_type, result
            cls.effect, cls.repeatable = effect, repeatable

    def __init_subclass__(
        cls, *, request_type: str = "", result: type[Result] = Result, effect: bool = False, repeatable: bool = False,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init_subclass__(**kwargs)


class EventDelivered(Result):
    """How many events of the subject were handled for it, those before it included; 0: they were handled before.

    None: not now, the log brings it.
    """

    events: int | None


class DeliverEvent(Task, request_type="deliver_event", result=EventDelivered):
    """Come to an event now: the log is late. Only its place is told; the consumer reads it there with its own rights.

    Every agent with `consumers` knows this task, and every service of the platform may ask it.
    """

    consumer: str = Field(min_length=1, max_length=100)
    slot: int = Field(ge=0, le=15)
    epoch: int = Field(ge=0)
    xid: int = Field(ge=0)
    id: int = Field(ge=0)
    recorded_at: datetime


class AgentType(StrEnum):
    SYSTEM = "system"
    DOMAIN = "domain"
    UTILITY = "utility"
    WORKFLOW = "workflow"


class OnTimeout(StrEnum):
    """FAIL_OPEN means that the run goes on to review with a notification; it never means approval."""

    FAIL_CLOSED = "fail_closed"
    FAIL_OPEN = "fail_open_with_notification"


class Limits(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout_seconds: float = Field(default=30, gt=0, le=300)
    retries: int = Field(default=3, ge=1, le=3, description="The total number of attempts.")


class Prompt(BaseModel):
    """System prompt + context + task + constraints. Deterministic handlers are the rule; a model is an option."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(default=1, ge=1)
    system: str
    context: str = ""
    task: str = ""
    constraints: tuple[str, ...] = ()


class Fallback(BaseModel):
    """What comes after all attempts at an agent, in this order, as long as the error is one that may pass.

    `backup`: a second deployment of the agent's service with processes and pools of its own, asked once. It shares the
    schema and so the recorded answers: a request_id that the first deployment has answered is not done again. `queue`:
    the request of a durable run waits in the database and is brought again, in order, when the agent is back. What
    waits there too long calls a person.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backup: str | None = None
    queue: bool = False


class AgentCard(BaseModel):
    """Who an agent is, what it may be asked, and how it fails. `service` is the registered name of its host.

    `callers` are the agents that may call it: nobody else may, and none by default. `clients`: registered clients
    of a company may ask it through `POST /agent/handle`. `consumers` are those of its service whose events may be
    brought to it directly when the log is late.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    id: str
    service: str
    type: AgentType
    purpose: str
    tasks: tuple[builtins.type[Task], ...]
    prompt: Prompt
    limits: Limits = Limits()
    on_timeout: OnTimeout = OnTimeout.FAIL_CLOSED
    fallback: Fallback = Fallback()
    callers: tuple[str, ...] = ()
    clients: bool = False
    consumers: tuple[str, ...] = ()

    def task(self, request_type: str) -> builtins.type[Task] | None:
        if request_type == DeliverEvent.request_type:
            return DeliverEvent if self.consumers else None
        return next((task for task in self.tasks if task.request_type == request_type), None)
