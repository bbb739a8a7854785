"""Calls over gRPC: an instance from the registry, a channel of the present certificates, an answer or a failure."""

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc
import grpc.aio

from ecosystem.kernel.agent.balance import Balancer
from ecosystem.kernel.agent.codec import METHOD, decode_response, encode_request
from ecosystem.kernel.agent.message import (
    AgentRequest,
    AgentResponse,
    CallRefused,
    InstanceLost,
    NoInstance,
    PayloadTooLarge,
    RequestInvalid,
)
from ecosystem.kernel.agent.wire import agent_pb2
from ecosystem.kernel.clock import Clock, SystemClock
from ecosystem.kernel.errors import DeadlineExceeded, EcosystemError, Kind, Unavailable
from ecosystem.kernel.identity.identity import Identity
from ecosystem.kernel.resilience.breaker import CircuitBreaker
from ecosystem.kernel.resilience.errors import CallNotPermitted
from ecosystem.kernel.resilience.policies import Policies
from ecosystem.kernel.resilience.policy import observed
from ecosystem.kernel.resilience.rules import Balance

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


@dataclass(eq=False)
class _Peer:
    """What we know of one instance from our own calls: its breaker, and how many are in flight."""

    service: str
    breaker: CircuitBreaker
    in_flight: int = field(default=0)


class GrpcTransport:
    """Spreads calls over the instances that the registry calls ready, without those that keep failing (ejected)."""

    def __init__(
        self, registry: Instances, identity: Identity, policies: Policies | None = None, clock: Clock | None = None
    ) -> None:
        self._registry, self._identity = registry, identity
        self._policies, self._clock = policies or Policies(), clock or SystemClock()
        self._monotonic = self._clock.monotonic
        self._balancer = Balancer(self._clock)
        self._lines: dict[Hashable, _Line] = {}
        self._peers: dict[Hashable, _Peer] = {}
        self._generation = self._policies.generation
        self._closing: set[asyncio.Task[None]] = set()

    async def send(
        self, service: str, request: AgentRequest, seconds: float, balance: Balance = Balance.WEIGHTED
    ) -> AgentResponse:
        ready = [item for item in self._registry.instances(service) if item.state == "ready" and item.grpc_port]
        if not ready:
            raise NoInstance(f"No instance of {service} is ready.")
        instance = self._choose(service, ready, balance)
        peer, line = self._peers[instance.instance_id], self._line(service, instance, ready)
        breaker = peer.breaker
        stay, began = breaker.acquire(), self._monotonic()
        peer.in_flight += 1
        try:
            response = decode_response(await line.handle(encode_request(request), timeout=seconds))
        except grpc.aio.AioRpcError as error:
            code = error.code()
            if code is grpc.StatusCode.UNAVAILABLE:
                self._balancer.avoid(instance.instance_id)
            translated = _translate(code, service, elsewhere=len(ready) > 1)
            breaker.record(stay, self._monotonic() - began, failed=translated.retryable)
            raise translated from None
        except BaseException as error:
            breaker.on_error(stay, self._monotonic() - began, error)
            raise
        finally:
            peer.in_flight -= 1
        # An instance that answers with somebody else's failure is well; one that fails in an unknown way is not.
        failure = response.failure
        failed = failure is not None and failure.kind is Kind.UNKNOWN
        breaker.record(stay, self._monotonic() - began, failed=failed)
        return response

    def _choose(self, service: str, ready: Sequence[Reachable], balance: Balance) -> Reachable:
        """The next instance. Raises CallNotPermitted where each of them keeps failing."""
        if self._generation != self._policies.generation:
            self._renew_breakers()
        peers = self._peers
        for item in ready:
            if item.instance_id not in peers:
                breaker = observed(f"{service} instance", self._policies.instance, self._clock)
                peers[item.instance_id] = _Peer(service, breaker)
        if len(ready) == 1 and peers[ready[0].instance_id].breaker.permits():
            return ready[0]
        usable = [item for item in ready if peers[item.instance_id].breaker.permits()]
        if balance is Balance.LEAST_CONNECTIONS and len(usable) > 1:
            loads = [peers[item.instance_id].in_flight / max(item.weight, 1) for item in usable]
            least = min(loads)
            usable = [item for item, load in zip(usable, loads, strict=True) if load == least]
        instance = self._balancer.pick(usable)
        if instance is None:
            seconds = min(peers[item.instance_id].breaker.retry_after() for item in ready)
            raise CallNotPermitted(f"Every instance of {service} keeps failing.", retry_after_seconds=seconds)
        return instance

    def _renew_breakers(self) -> None:
        """After a change of the policies: breakers of other rules begin anew."""
        self._generation, rules = self._policies.generation, self._policies.instance
        for peer in self._peers.values():
            if peer.breaker.rules != rules:
                peer.breaker = observed(f"{peer.service} instance", rules, self._clock)

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
            self._peers.pop(gone, None)
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


def _translate(code: grpc.StatusCode, service: str, *, elsewhere: bool) -> EcosystemError:
    """The transport's failure as ours. gRPC's own text stays out: it holds addresses."""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceeded(f"{service} did not answer in time.")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return PayloadTooLarge(f"{service} refuses a message of this size.")
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return CallRefused(f"{service} refuses this process.")
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return RequestInvalid(f"{service} cannot read the request.")
    if code is grpc.StatusCode.UNAVAILABLE:
        return InstanceLost(f"An instance of {service} is gone.", elsewhere=elsewhere)
    return Unavailable(f"{service} did not answer ({code.name.lower()}).", elsewhere=elsewhere)
