"""A certificate that has ended: the same identity and key as one of the fleet's, issued by its authority."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_AGO = timedelta(minutes=5)
_LIVED = timedelta(hours=1)


def expired(leaf: bytes, authority: bytes) -> bytes:
    """`leaf` and `authority` are PEM texts of a key and its certificate; the answer is one like `leaf`."""
    key = serialization.load_pem_private_key(leaf, password=None)
    issuer_key = serialization.load_pem_private_key(authority, password=None)
    before, issuer = x509.load_pem_x509_certificate(leaf), x509.load_pem_x509_certificate(authority)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    ended = datetime.now(UTC) - _AGO
    builder = (
        x509.CertificateBuilder()
        .subject_name(before.subject)
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ended - _LIVED)
        .not_valid_after(ended)
    )
    for extension in before.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)
