"""How calling and notifying are put together; `app.py` puts them beside incidents."""

from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter

from ecosystem.contracts.monitoring import NOTIFICATION_AGENT, FindNotification, SendNotification
from ecosystem.kernel.agent.host import AgentHost
from ecosystem.kernel.runtime.service import Background, Job, Kernel
from ecosystem.services.monitoring.calling import routes as calling_routes
from ecosystem.services.monitoring.calling.links import Links
from ecosystem.services.monitoring.calling.paging import PagingService
from ecosystem.services.monitoring.calling.people import Sealed
from ecosystem.services.monitoring.calling.repository import Rotas
from ecosystem.services.monitoring.calling.service import RotaService
from ecosystem.services.monitoring.notifying import routes as notifying_routes
from ecosystem.services.monitoring.notifying.adapters import Apprise
from ecosystem.services.monitoring.notifying.delivery import Delivery
from ecosystem.services.monitoring.notifying.fenced import Fenced
from ecosystem.services.monitoring.notifying.handlers import NotificationHandlers
from ecosystem.services.monitoring.notifying.repository import Outbox
from ecosystem.services.monitoring.notifying.service import NotifyingService, Parts
from ecosystem.services.monitoring.notifying.vault import Vault
from ecosystem.services.monitoring.settings import ServiceSettings


@dataclass(frozen=True)
class Calling:
    """`paging` is what incidents ask for pages."""

    paging: PagingService
    routers: tuple[APIRouter, ...]
    agents: tuple[AgentHost, ...]
    jobs: tuple[Job, ...]
    background: tuple[Background, ...]


def compose(kernel: Kernel, settings: ServiceSettings) -> Calling:
    database = kernel.database
    parts = Parts(
        database, Fenced(database, kernel.audit), Outbox(database), Vault(kernel.keyring), kernel.clock, kernel.ids
    )  # fmt: skip
    apprise = Apprise(kernel.heavy_sandbox, settings.networks, settings.delivery_seconds)
    delivery = Delivery(parts, apprise, settings)
    notifying = NotifyingService(
        parts, apprise, delivery.wake, timedelta(seconds=settings.same_message_seconds)
    )  # fmt: skip
    rotas, sealed = Rotas(database), Sealed(kernel.keyring)
    links = Links(kernel.keyring, settings.public_url or settings.edge_url)
    paging = PagingService(parts, rotas, sealed, notifying, links, settings.page_link_seconds)
    handlers = NotificationHandlers(notifying)

    async def climb() -> None:
        await paging.climb()

    return Calling(
        paging=paging,
        routers=(
            calling_routes.router(RotaService(parts, rotas, sealed, notifying), paging, kernel.ids),
            notifying_routes.router(notifying),
        ),
        agents=(AgentHost(NOTIFICATION_AGENT, {SendNotification: handlers.send, FindNotification: handlers.find}),),
        jobs=(Job("climb-pages", timedelta(seconds=settings.look_seconds), climb),),
        background=(delivery.run,),
    )
