"""Agents behind gRPC over HTTP/2 with mTLS."""

from typing import Any

import grpc
import grpc.aio
from cryptography import x509

from ecosystem.kernel.agent.codec import SERVICE, decode_request, encode_response
from ecosystem.kernel.agent.handling import Handling
from ecosystem.kernel.agent.message import Caller, RequestInvalid
from ecosystem.kernel.agent.settings import AgentSettings
from ecosystem.kernel.agent.wire import agent_pb2
from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.identity.identity import Identity
from ecosystem.kernel.identity.revocations import serial_text
from ecosystem.kernel.telemetry.log import log

_FRAMING_BYTES = 64 * 1024
_ALTERNATIVE_NAMES, _CERTIFICATE = "x509_subject_alternative_name", "x509_pem_cert"
_KNOWN_MAX = 1024
_SPIFFE = b"spiffe://"


class AgentServer:
    """One gRPC server of a process. Who the peer is and whether its certificate still counts is asked at every call."""

    def __init__(self, handling: Handling, identity: Identity, settings: AgentSettings) -> None:
        self._handling, self._identity, self._settings = handling, identity, settings
        self._server: grpc.aio.Server | None = None
        self._callers: dict[bytes, tuple[Caller, str]] = {}

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; the port (an ephemeral one for 0). Raises Unavailable where the address is taken."""
        limit = self._settings.payload_bytes_max + _FRAMING_BYTES
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", limit),
                ("grpc.so_reuseport", 0),
                ("grpc.max_concurrent_streams", self._settings.calls_max),
            ]
        )
        handler = grpc.unary_unary_rpc_method_handler(
            self._handle,
            request_deserializer=agent_pb2.HandleRequest.FromString,
            response_serializer=agent_pb2.HandleResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Handle": handler}),))
        try:
            bound = server.add_secure_port(f"{host}:{port}", self._identity.grpc_server_credentials())
        except RuntimeError as error:
            raise Unavailable(f"The agents' port {host}:{port} cannot be opened.") from error
        await server.start()
        self._server = server
        return bound

    async def stop(self, grace_seconds: float) -> None:
        """Take no new calls; end those in flight within `grace_seconds`, then cut them."""
        if self._server is not None:
            await self._server.stop(grace_seconds)
            self._server = None

    async def _handle(
        self, wire: agent_pb2.HandleRequest, call: "grpc.aio.ServicerContext[Any, Any]"
    ) -> agent_pb2.HandleResponse:
        known = self._caller(call.auth_context())
        if known is None:
            await call.abort(grpc.StatusCode.UNAUTHENTICATED, "The certificate names no service of this trust domain.")
        caller, serial = known
        if self._identity.is_revoked(serial):
            log.warning("a revoked certificate was refused", caller=caller.service, serial=serial)
            await call.abort(grpc.StatusCode.UNAUTHENTICATED, "The certificate is revoked.")
        try:
            request = decode_request(wire)
        except RequestInvalid as error:
            await call.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        response = await self._handling.handle(request, caller, call.time_remaining())
        return encode_response(response)

    def _caller(self, auth: Any) -> tuple[Caller, str] | None:
        """The caller and the serial of its certificate, which is parsed once."""
        pem = next(iter(auth.get(_CERTIFICATE, ())), b"")
        known = self._callers.get(pem)
        if known is not None:
            return known
        uris = [name for name in auth.get(_ALTERNATIVE_NAMES, ()) if name.startswith(_SPIFFE)]
        service = self._identity.peer_service(uris[0].decode("ascii", "replace")) if len(uris) == 1 else None
        if service is None:
            return None
        if len(self._callers) >= _KNOWN_MAX:
            self._callers.clear()
        serial = serial_text(x509.load_pem_x509_certificate(pem).serial_number)
        known = self._callers[pem] = (Caller(service=service), serial)
        return known
