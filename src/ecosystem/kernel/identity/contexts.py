"""TLS contexts whose certificates change while connections stay open.

`asyncio` and `uvloop` ask a context for each new connection by `wrap_bio`. The context that a server or a client
holds for ever passes that on to the one of the present certificates; a connection keeps the one it began with.
Loading new files into a living context would do for a new leaf, yet it never forgets a removed authority.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecosystem.kernel.identity.names import dns_name, peer_of_certificate
from ecosystem.kernel.identity.revocations import serial_text


class RotatingContext(ssl.SSLContext):
    """Hands each new connection to the context that `present()` gives. `expect` is the service a client wants."""

    _present: Callable[[], ssl.SSLContext]
    _expect: str | None

    def __new__(cls, present: Callable[[], ssl.SSLContext], *, server: bool, expect: str | None) -> "RotatingContext":
        protocol = ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT
        self = super().__new__(cls, protocol)
        self._present, self._expect = present, expect
        return self

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, server_side: bool = False,
        server_hostname: str | bytes | None = None, session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:  # fmt: skip
        name = dns_name(self._expect) if self._expect is not None else server_hostname
        return self._present().wrap_bio(incoming, outgoing, server_side, None if server_side else name)

    def wrap_socket(self, sock: Any, server_side: bool = False, *others: Any, **options: Any) -> ssl.SSLSocket:
        if self._expect is not None:
            options["server_hostname"] = dns_name(self._expect)
        return self._present().wrap_socket(sock, server_side, *others, **options)


IsRevoked = Callable[[str], bool]


def make_server_context(pem_file: Path, bundle: str, trust_domain: str, is_revoked: IsRevoked) -> ssl.SSLContext:
    """TLS 1.3 that demands a certificate of the trust domain, and resumes no session (that would skip the check)."""
    context = _make(ssl.PROTOCOL_TLS_SERVER, pem_file, bundle, trust_domain, is_revoked)
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context


def make_client_context(pem_file: Path, bundle: str, trust_domain: str, is_revoked: IsRevoked) -> ssl.SSLContext:
    """TLS 1.3 that checks the server's authority, its DNS name, its SPIFFE name and that it is not revoked."""
    return _make(ssl.PROTOCOL_TLS_CLIENT, pem_file, bundle, trust_domain, is_revoked)


def _make(protocol: int, pem_file: Path, bundle: str, trust_domain: str, is_revoked: IsRevoked) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=bundle)
    context.load_cert_chain(pem_file)
    context.sslobject_class = _checking_object(trust_domain, is_revoked)
    context.sslsocket_class = _checking_socket(trust_domain, is_revoked)
    return context


def _check(connection: ssl.SSLObject | ssl.SSLSocket, trust_domain: str, is_revoked: IsRevoked) -> None:
    """Raises ssl.SSLCertVerificationError unless the peer is of the domain, not revoked, and whom we expected."""
    certificate = connection.getpeercert()
    peer = peer_of_certificate(certificate, trust_domain)
    if peer is None:
        raise ssl.SSLCertVerificationError(f"the peer has no SPIFFE name of {trust_domain}")
    if is_revoked(serial_text(str((certificate or {}).get("serialNumber", "0")))):
        raise ssl.SSLCertVerificationError(f"the certificate of {peer} is revoked")
    wanted = connection.server_hostname
    if isinstance(wanted, str) and wanted.endswith(dns_name("")) and wanted != dns_name(peer):
        raise ssl.SSLCertVerificationError(f"the peer is {peer}, not {wanted}")


def _checking_object(trust_domain: str, is_revoked: IsRevoked) -> type[ssl.SSLObject]:
    class CheckedObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            _check(self, trust_domain, is_revoked)

    return CheckedObject


def _checking_socket(trust_domain: str, is_revoked: IsRevoked) -> type[ssl.SSLSocket]:
    class CheckedSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            _check(self, trust_domain, is_revoked)

    return CheckedSocket
