"""The composition root: the only place that picks real adapters."""

from ecosystem.contracts.authn import AUDIENCE, ISSUER
from ecosystem.contracts.index import PREFIXES
from ecosystem.kernel.http.peers import Peers
from ecosystem.kernel.runtime.service import Kernel, Service
from ecosystem.services.gateway.adapters import EdgeFolder, EnvoyAdmin, PublicKeys
from ecosystem.services.gateway.rendering.shapes import Limits, Place, Wanted
from ecosystem.services.gateway.routes import router
from ecosystem.services.gateway.service import EdgeService
from ecosystem.services.gateway.settings import ServiceSettings


def build(kernel: Kernel) -> Service:
    settings = kernel.source.get(ServiceSettings)
    place = Place(
        settings.edge_folder, settings.host, settings.port, settings.pem_file, settings.ca_file,
        kernel.identity.trust_domain,
    )  # fmt: skip
    limits = Limits(
        settings.upload_bytes_max, settings.body_bytes_max, settings.request_seconds, settings.transfer_seconds,
        settings.health_interval_seconds,
    )  # fmt: skip
    wanted = Wanted(place, limits, PREFIXES, {}, {}, ISSUER, AUDIENCE)
    folder = EdgeFolder(settings.edge_folder)
    edge = EdgeService(
        wanted, kernel.registry, folder, EnvoyAdmin(folder), PublicKeys(Peers(kernel.registry, kernel.identity)),
        kernel.clock, look_seconds=settings.look_seconds,
    )  # fmt: skip
    return Service(
        name=kernel.service,
        routers=(router(edge, f"https://{settings.host}:{settings.port}"),),
        background=(edge.follow,),
        before_ready=(edge.begin,),
    )
