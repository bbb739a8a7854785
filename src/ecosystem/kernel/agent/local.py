"""Agents of this very process, reached without a network: for tests and for a service that asks itself."""

from collections.abc import Mapping

from ecosystem.kernel.agent.handling import Handling
from ecosystem.kernel.agent.message import AgentRequest, AgentResponse, Caller, NoInstance
from ecosystem.kernel.resilience.rules import Balance


class LocalTransport:
    """`handlings` by registered service name; may be filled later. `service` is whom the caller is taken for."""

    def __init__(self, service: str, handlings: Mapping[str, Handling]) -> None:
        self._caller, self._handlings = Caller(service=service), handlings

    async def send(
        self, service: str, request: AgentRequest, seconds: float, balance: Balance = Balance.WEIGHTED
    ) -> AgentResponse:
        handling = self._handlings.get(service)
        if handling is None:
            raise NoInstance(f"{service} is not running.")
        return await handling.handle(request, self._caller, seconds)
