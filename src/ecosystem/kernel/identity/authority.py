"""The fleet's own certificate authority: one machine, one trust domain, certificates of hours."""

import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ecosystem.kernel.errors import EcosystemError, Kind, Severity
from ecosystem.kernel.identity.names import dns_name, spiffe_id

_BACKDATED = timedelta(seconds=60)  # clocks of two machines may differ by this much
_CA_DAYS = 3650


class AuthorityUnreadable(EcosystemError):
    code, status, kind, severity = "authority_unreadable", 500, Kind.PERMANENT, Severity.CRITICAL
    rule = "The authority's folder holds its key and its certificate, which belong together."
    suggestion = "Restore the `pki` folder of the home; without one, remove it and restart everything."


class Authority:
    """Issues the identities of a fleet. The key never leaves its folder (mode 0700, files 0600)."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, older: bytes, domain: str
    ) -> None:
        self._key, self._certificate, self._older, self._domain = key, certificate, older, domain

    @classmethod
    def open(cls, folder: Path, *, trust_domain: str = "eco.local") -> "Authority":
        """The authority kept in `folder`, made there on first use.

        Raises:
            AuthorityUnreadable: the folder holds half of one, or something else.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / "authority.pem"
        if not file.exists():
            _write(file, _pem(*_new_authority(trust_domain)))
        return cls._load(folder, trust_domain)

    @classmethod
    def _load(cls, folder: Path, trust_domain: str) -> "Authority":
        try:
            content = (folder / "authority.pem").read_bytes()
            key = serialization.load_pem_private_key(content, password=None)
            certificate = x509.load_pem_x509_certificate(content)
        except (OSError, ValueError) as error:
            raise AuthorityUnreadable(f"{folder / 'authority.pem'} cannot be read: {type(error).__name__}.") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise AuthorityUnreadable
        older = folder / "older.pem"
        return cls(key, certificate, older.read_bytes() if older.exists() else b"", trust_domain)

    @classmethod
    def rotate(cls, folder: Path, *, trust_domain: str = "eco.local") -> "Authority":
        """First phase of a change: a new authority issues, the bundle trusts both. Spread the bundle before leaves."""
        former = cls.open(folder, trust_domain=trust_domain)
        _write(folder / "older.pem", former.bundle())
        _write(folder / "authority.pem", _pem(*_new_authority(trust_domain)))
        return cls._load(folder, trust_domain)

    @classmethod
    def retire_older(cls, folder: Path, *, trust_domain: str = "eco.local") -> "Authority":
        """Second phase, once every leaf is of the new authority: the bundle trusts it alone."""
        (folder / "older.pem").unlink(missing_ok=True)
        return cls.open(folder, trust_domain=trust_domain)

    def bundle(self) -> bytes:
        """PEM of every certificate that a peer must trust."""
        return self._certificate.public_bytes(serialization.Encoding.PEM) + self._older

    def issue(self, name: str, *, hours: float = 24, hosts: Sequence[str] = ()) -> bytes:
        """One PEM with key, then certificate, for `spiffe://<trust domain>/<name>`.

        `hosts` are further DNS names or addresses. Write it by rename, so that nobody reads half of it.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        names = [x509.UniformResourceIdentifier(spiffe_id(self._domain, name)), x509.DNSName(dns_name(name))]
        for host in dict.fromkeys(("localhost", "127.0.0.1", *hosts)):
            names.append(_general_name(host))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + timedelta(hours=hours))
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return _pem(key, certificate)


def expires_at(pem: bytes) -> datetime:
    """When the (first) certificate of `pem` ends, in UTC."""
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _new_authority(trust_domain: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # The serial is part of the name: two authorities of one name would confuse chain building during a change.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{trust_domain} authority {serial:040x}"[:64])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=_CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=ca, crl_sign=ca, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _pem(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _write(file: Path, content: bytes) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)
