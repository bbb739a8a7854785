"""The door for HTTP: the state of the edge."""

from typing import Annotated

from fastapi import APIRouter, Depends

from ecosystem.kernel.http.principal import Principal, requires
from ecosystem.services.gateway.schemas import EdgeShown
from ecosystem.services.gateway.service import EdgeService


def router(service: EdgeService, address: str) -> APIRouter:
    routes = APIRouter(tags=["edge"])

    @routes.get("/v1/edge")
    async def show_edge(_: Annotated[Principal, Depends(requires("platform:read"))]) -> EdgeShown:
        """What was written, whom it sends to, and what Envoy makes of it."""
        state = service.state
        return EdgeShown(
            status=service.status, address=address, envoy=state.envoy, written_at=state.written_at,
            files_replaced=list(state.written), instances=dict(state.instances), key_ids=list(state.key_ids),
            rejected_updates=dict(state.rejected), problem=state.problem,
        )  # fmt: skip

    return routes
