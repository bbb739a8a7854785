"""The identity of this process: who it is towards others, and how it knows who they are."""

import asyncio
import re
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import grpc
import grpc.aio
from cryptography import x509

from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem.kernel.identity.contexts import RotatingContext, make_client_context, make_server_context
from ecosystem.kernel.identity.names import dns_name, peer_service
from ecosystem.kernel.identity.revocations import Revocations
from ecosystem.kernel.identity.settings import IdentitySettings

_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]*PRIVATE KEY-----\n?", re.DOTALL)
_MESSAGE_BYTES_MAX = 4 * 1024 * 1024
_CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.enable_retries", 0),
)


class IdentityUnreadable(EcosystemError):
    code, status, kind, severity = "identity_unreadable", 500, Kind.PERMANENT, Severity.CRITICAL
    rule = "A process proves who it is with one PEM of key and certificate, and checks others by a bundle."
    suggestion = "Check identity.pem_file and identity.ca_file; the fleet (or the platform) issues them anew."


@dataclass(frozen=True)
class _Material:
    """One generation of certificates. `stamp` tells by which files it was made."""

    stamp: tuple[tuple[int, int, int], ...]
    generation: int
    name: str
    expires_at: datetime
    key: bytes
    chain: bytes
    bundle: bytes
    server: ssl.SSLContext
    client: ssl.SSLContext


class Identity:
    """Reads the certificates, watches their files, and renews every context in flight.

    A new file that cannot be used is told to `on_problem` and the former certificates stay.
    Raises IdentityUnreadable when there is none to begin with.
    """

    def __init__(
        self, settings: IdentitySettings, *, on_problem: Callable[[EcosystemError], None] = lambda _: None
    ) -> None:
        self._settings, self._on_problem = settings, on_problem
        self._lock = threading.Lock()  # gRPC asks from a thread of its own
        self._refused: tuple[tuple[int, int, int], ...] = ()
        self._revocations = Revocations(settings.revoked_file, on_problem=on_problem)
        self._material = self._load(generation=1)

    @property
    def name(self) -> str:
        """The registered name in our certificate, `creditx-service`."""
        return self._material.name

    @property
    def trust_domain(self) -> str:
        return self._settings.trust_domain

    @property
    def generation(self) -> int:
        """Grows with every renewal; what was built from an older one should be built again."""
        return self._material.generation

    @property
    def expires_at(self) -> datetime:
        return self._material.expires_at

    def peer_service(self, spiffe_uri: str) -> str | None:
        """`creditx-service` of its SPIFFE name; None for a foreign domain."""
        return peer_service(spiffe_uri, self._settings.trust_domain)

    def is_revoked(self, serial: str) -> bool:
        """Whether a peer's certificate (by its serial) counts no longer. Cheap enough for every call."""
        return self._revocations.holds(serial)

    def server_context(self) -> ssl.SSLContext:
        """For a server: demands a certificate of our domain; renews itself."""
        return RotatingContext(lambda: self._material.server, server=True, expect=None)

    def client_context(self, expect: str | None) -> ssl.SSLContext:
        """For a client of the service `expect` (None: of whatever host is asked for); renews itself."""
        return RotatingContext(lambda: self._material.client, server=False, expect=expect)

    def grpc_server_credentials(self) -> grpc.ServerCredentials:
        """Demands a certificate of our authorities; each new connection sees the present files."""
        given = self._material.generation

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal given
            self.refresh()
            now = self._material
            if now.generation == given:
                return None
            given = now.generation
            return _grpc_configuration(now)

        return grpc.dynamic_ssl_server_credentials(
            # None means: as before. The stubs do not know it.
            _grpc_configuration(self._material),
            fetch,  # type: ignore[arg-type]
            require_client_authentication=True,
        )

    def grpc_channel(self, target: str, expect_service: str) -> grpc.aio.Channel:
        """A channel of the present certificates to `host:port`, which must prove to be `expect_service`.

        Python has no dynamic channel credentials: compare `generation`, build a new channel, drain the old one.
        """
        now = self._material
        credentials = grpc.ssl_channel_credentials(now.bundle, now.key, now.chain)
        options = [*_CHANNEL_OPTIONS, ("grpc.ssl_target_name_override", dns_name(expect_service))]
        return grpc.aio.secure_channel(target, credentials, options=options)

    def refresh(self) -> bool:
        """Read the files again if they changed; whether they did. Cheap: two `stat`s."""
        with self._lock:
            try:
                stamp = self._stamp()
                if stamp in (self._material.stamp, self._refused):
                    return False
                self._material = self._load(self._material.generation + 1)
            except EcosystemError as error:
                # Half of a change (the bundle first, then the leaf) or a damaged file: the next look may be better.
                self._refused = self._stamp_or_none()
                self._on_problem(error)
                return False
            self._refused = ()
            return True

    async def watch(self, stop: asyncio.Event) -> None:
        """Look for new files every `watch_seconds` until `stop`."""
        while not stop.is_set():
            self.refresh()
            try:
                await asyncio.wait_for(stop.wait(), self._settings.watch_seconds)
            except TimeoutError:
                continue

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        try:
            found = [file.stat() for file in (self._settings.pem_file, self._settings.ca_file)]
        except OSError as error:
            raise IdentityUnreadable(f"{error.filename} cannot be read: {error.strerror}.") from error
        return tuple((item.st_mtime_ns, item.st_ino, item.st_size) for item in found)

    def _stamp_or_none(self) -> tuple[tuple[int, int, int], ...]:
        try:
            return self._stamp()
        except IdentityUnreadable:
            return ()

    def _load(self, generation: int) -> _Material:
        settings, stamp = self._settings, self._stamp()
        try:
            pem, bundle = settings.pem_file.read_bytes(), settings.ca_file.read_bytes()
            certificate = x509.load_pem_x509_certificate(pem)
            key = _KEY.search(pem)
            name = _name_of(certificate, settings.trust_domain)
            if key is None or name is None:
                raise IdentityUnreadable(f"{settings.pem_file} has no key or no name of {settings.trust_domain}.")
            text = bundle.decode("ascii")
            server = make_server_context(settings.pem_file, text, settings.trust_domain, self.is_revoked)
            client = make_client_context(settings.pem_file, text, settings.trust_domain, self.is_revoked)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            place = f"{settings.pem_file} or {settings.ca_file}"
            raise IdentityUnreadable(f"{place} cannot be used: {type(error).__name__}.") from error
        return _Material(
            stamp, generation, name, certificate.not_valid_after_utc, key.group(), _KEY.sub(b"", pem), bundle,
            server, client,
        )  # fmt: skip


def _grpc_configuration(material: _Material) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(material.key, material.chain)], root_certificates=material.bundle
    )


def _name_of(certificate: x509.Certificate, trust_domain: str) -> str | None:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return peer_service(uris[0], trust_domain) if len(uris) == 1 else None


def write_atomically(file: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace `file` by rename, so that a reader sees the former or the new content, never half of it."""
    temporary = file.with_name(f".{file.name}.new")
    temporary.touch(mode=mode)
    temporary.write_bytes(content)
    temporary.replace(file)
