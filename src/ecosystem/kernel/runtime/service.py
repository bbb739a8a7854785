"""What the kernel gives a service (`Kernel`), and what a service gives the runtime (`Service`)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from fastapi import APIRouter

from ecosystem.kernel.agent.client import AgentClient
from ecosystem.kernel.agent.host import AgentHost
from ecosystem.kernel.clock import Clock
from ecosystem.kernel.ids import Ids
from ecosystem.kernel.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from ecosystem.kernel.audit.audit import Audit
    from ecosystem.kernel.caching.cache import Cache
    from ecosystem.kernel.db.database import Database
    from ecosystem.kernel.durable.durable import Durable
    from ecosystem.kernel.durable.worker import DurableWorker
    from ecosystem.kernel.identity.identity import Identity
    from ecosystem.kernel.keys.keyring import Keyring
    from ecosystem.kernel.messaging.consumer import Consumer
    from ecosystem.kernel.messaging.direct import LateEvents
    from ecosystem.kernel.messaging.outbox import Outbox
    from ecosystem.kernel.objects.objects import Objects
    from ecosystem.kernel.registry.registry import Registry
    from ecosystem.kernel.resilience.policies import Policies
    from ecosystem.kernel.sandbox.sandbox import Sandbox
    from ecosystem.kernel.settings import Source


@dataclass(frozen=True)
class Kernel:
    """Every part of the kernel, built from settings and not yet opened: `build(kernel)` only composes.

    `service` is the registered name (`creditx-service`). A part opens its connections when the runtime starts it,
    before the first request, event, tick or task arrives. `heavy_sandbox` is for jobs whose modules weigh much: its
    workers come from a process of their own, so that those of `sandbox` stay quick to make. It starts on first use.
    """

    service: str
    source: "Source"
    clock: Clock
    ids: Ids
    database: "Database"
    keyring: "Keyring"
    outbox: "Outbox"
    durable: "Durable"
    audit: "Audit"
    cache: "Cache"
    objects: "Objects"
    sandbox: "Sandbox"
    heavy_sandbox: "Sandbox"
    registry: "Registry"
    policies: "Policies"
    agents: AgentClient
    late: "LateEvents"
    identity: "Identity"
    metrics: Metrics


@dataclass(frozen=True)
class Job:
    """Work on a timer. `single`: one replica at a time does it, whoever comes first.

    A tick that fails is logged and counted; the next tick is the retry. No company is set: a job that works for
    companies sets each with `context.scope(company_id=…)`.
    """

    name: str
    every: timedelta
    run: Callable[[], Awaitable[None]]
    single: bool = True


Background = Callable[[asyncio.Event], Awaitable[None]]


@dataclass(frozen=True)
class Service:
    """One deployable, composed. A `background` runs from start until its event is set, and then returns."""

    name: str
    routers: tuple[APIRouter, ...] = ()
    agents: tuple[AgentHost, ...] = ()
    consumers: "tuple[Consumer, ...]" = ()
    jobs: tuple[Job, ...] = ()
    workers: "tuple[DurableWorker, ...]" = ()
    background: tuple[Background, ...] = ()
    before_ready: tuple[Callable[[], Awaitable[None]], ...] = ()


Build = Callable[[Kernel], Service]
