"""Calls over gRPC: an instance from the registry, a channel of the present certificates, an answer or a failure."""

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
import grpc.aio

from ecosystem.kernel.agent.balance import Balancer
from ecosystem.kernel.agent.codec import METHOD, decode_response, encode_request
from ecosystem.kernel.agent.message import AgentRequest, AgentResponse, CallRefused, PayloadTooLarge, RequestInvalid
from ecosystem.kernel.agent.wire import agent_pb2
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.errors import DeadlineExceeded, EcosystemError, Unavailable
from ecosystem.kernel.identity.identity import Identity

_DRAIN_SECONDS = 30.0


class Reachable(Protocol):
    """What is needed of an instance of the registry."""

    @property
    def instance_id(self) -> Hashable: ...
    @property
    def host(self) -> str: ...
    @property
    def grpc_port(self) -> int: ...
    @property
    def weight(self) -> int: ...
    @property
    def state(self) -> str: ...


class Instances(Protocol):
    def instances(self, service: str) -> Sequence[Reachable]:
        """The known instances of `service`, from a local snapshot."""


@dataclass(eq=False)
class _Line:
    """One channel to one instance, of one generation of certificates."""

    service: str
    target: str
    generation: int
    channel: grpc.aio.Channel
    handle: Any


class GrpcTransport:
    def __init__(self, registry: Instances, identity: Identity, clock: Clock | None = None) -> None:
        self._registry, self._identity = registry, identity
        self._balancer = Balancer(clock or SystemClock())
        self._lines: dict[Hashable, _Line] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def send(self, service: str, request: AgentRequest, seconds: float) -> AgentResponse:
        ready = [item for item in self._registry.instances(service) if item.state == "ready" and item.grpc_port]
        instance = self._balancer.pick(ready)
        if instance is None:
            raise Unavailable(f"No instance of {service} is ready.")
        line = self._line(service, instance, ready)
        try:
            wire = await line.handle(encode_request(request), timeout=seconds)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                self._balancer.avoid(instance.instance_id)
            raise _translate(error, service, elsewhere=len(ready) > 1) from None
        return decode_response(wire)

    async def close(self, grace_seconds: float = 0.0) -> None:
        """End every channel; calls in flight have `grace_seconds`."""
        for instance_id in list(self._lines):
            self._drop(instance_id, grace_seconds)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _line(self, service: str, instance: Reachable, ready: Sequence[Reachable]) -> _Line:
        generation, target = self._identity.generation, f"{instance.host}:{instance.grpc_port}"
        line = self._lines.get(instance.instance_id)
        if line is not None and line.generation == generation and line.target == target:
            return line
        if line is not None:
            self._drop(instance.instance_id, _DRAIN_SECONDS)
        known = {item.instance_id for item in ready}
        for gone in [name for name, other in self._lines.items() if other.service == service and name not in known]:
            self._drop(gone, _DRAIN_SECONDS)
            self._balancer.forget(gone)
        channel = self._identity.grpc_channel(target, service)
        handle = channel.unary_unary(
            METHOD,
            request_serializer=agent_pb2.HandleRequest.SerializeToString,
            response_deserializer=agent_pb2.HandleResponse.FromString,
        )
        line = self._lines[instance.instance_id] = _Line(service, target, generation, channel, handle)
        return line

    def _drop(self, instance_id: Hashable, grace_seconds: float) -> None:
        """Let a channel end by itself: its calls in flight are answered, no new one takes it."""
        line = self._lines.pop(instance_id)
        task = asyncio.ensure_future(line.channel.close(grace_seconds))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _translate(error: grpc.aio.AioRpcError, service: str, *, elsewhere: bool) -> EcosystemError:
    """The transport's failure as ours. gRPC's own text stays out: it holds addresses."""
    code = error.code()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceeded(f"{service} did not answer in time.")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return PayloadTooLarge(f"{service} refuses a message of this size.")
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return CallRefused(f"{service} refuses this process.")
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return RequestInvalid(f"{service} cannot read the request.")
    return Unavailable(f"{service} did not answer ({code.name.lower()}).", elsewhere=elsewhere)
