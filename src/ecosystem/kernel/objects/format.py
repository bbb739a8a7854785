"""Format 1 of a stored object, byte by byte.

    header   "ECOOBJ" | version 0001 | chunk size, 4 bytes | nonce prefix, 8 bytes          20 bytes
    chunks   AES-256-GCM of 65536 bytes each, the last one shorter (an empty object has one empty chunk), 16 more for
             the tag; nonce = prefix | number of the chunk, 4 bytes; associated data = header | 01 for the last, else 00
    footer   JSON: what `Footer` holds, with the object's own key sealed under the subject's or the company's
    trailer  length of the footer, 4 bytes | SHA-256 of everything before these 32 bytes   36 bytes

Numbers are big endian. The checksum can be verified without a key; the order, number and origin of the chunks cannot
be changed without one. The sealed key is bound to the name, the size and the retention date.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ecosystem.kernel.objects.errors import ObjectDamaged

MAGIC, VERSION = b"ECOOBJ", 1
CHUNK_BYTES, TAG_BYTES, PREFIX_BYTES = 65536, 16, 8
SEALED_BYTES = CHUNK_BYTES + TAG_BYTES
HEADER_BYTES = len(MAGIC) + 2 + 4 + PREFIX_BYTES
TRAILER_BYTES = 4 + 32
FOOTER_BYTES_MAX = 2048


@dataclass(frozen=True)
class Footer:
    """`name` is `<company>/<64 hex digits>`; `subject` is empty where the company's own key seals."""

    name: str
    subject: str
    size_bytes: int
    retain_until: date
    created_at: datetime
    key: bytes

    @property
    def bound(self) -> str:
        """What the sealed key is bound to."""
        return f"object/{self.name}/{self.size_bytes}/{self.retain_until}/{self.created_at.isoformat()}"

    def encode(self) -> bytes:
        values = asdict(self) | {
            "retain_until": self.retain_until.isoformat(),
            "created_at": self.created_at.isoformat(),
            "key": base64.b64encode(self.key).decode(),
        }
        return json.dumps(values, separators=(",", ":"), sort_keys=True).encode()

    @classmethod
    def decode(cls, content: bytes) -> "Footer":
        """Raises ObjectDamaged."""
        try:
            values = json.loads(content)
            return cls(
                str(values["name"]), str(values["subject"]), int(values["size_bytes"]),
                date.fromisoformat(values["retain_until"]), datetime.fromisoformat(values["created_at"]),
                base64.b64decode(values["key"], validate=True),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise ObjectDamaged("The object's footer cannot be read.") from None


def header(prefix: bytes) -> bytes:
    return MAGIC + VERSION.to_bytes(2, "big") + CHUNK_BYTES.to_bytes(4, "big") + prefix


def check_header(content: bytes) -> None:
    """Raises ObjectDamaged: not ours, cut, or of a version that this code does not know."""
    if len(content) != HEADER_BYTES or content[:-PREFIX_BYTES] != header(b""):
        raise ObjectDamaged("The object does not begin like one of format 1.")


def stored_bytes(size_bytes: int) -> int:
    """Where the footer begins."""
    return HEADER_BYTES + size_bytes + chunks_of(size_bytes) * TAG_BYTES


def chunks_of(size_bytes: int) -> int:
    return max(-(-size_bytes // CHUNK_BYTES), 1)


class Sealer:
    """Encrypts chunk after chunk and keeps the checksum of all that goes out."""

    def __init__(self, key: bytes, prefix: bytes) -> None:
        self._cipher, self._header, self._prefix = AESGCM(key), header(prefix), prefix
        self._checksum, self._number = hashlib.sha256(), 0

    def begin(self) -> bytes:
        return self._out(self._header)

    def chunk(self, plain: bytes, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self._prefix, self._number), plain, _aad(self._header, last))
        self._number += 1
        return self._out(sealed)

    def end(self, footer: Footer) -> bytes:
        content = footer.encode()
        out = self._out(content + len(content).to_bytes(4, "big"))
        return out + self._checksum.digest()

    def _out(self, content: bytes) -> bytes:
        self._checksum.update(content)
        return content


class Opener:
    """Decrypts any chunk of an object whose header and key are known."""

    def __init__(self, key: bytes, head: bytes, size_bytes: int) -> None:
        check_header(head)
        self._cipher, self._header = AESGCM(key), head
        self._chunks = chunks_of(size_bytes)

    def open(self, sealed: bytes, first: int) -> Iterator[bytes]:
        """The plain chunks of consecutive sealed ones, of which the first is number `first`. Raises ObjectDamaged."""
        for number, start in enumerate(range(0, len(sealed), SEALED_BYTES), first):
            nonce = _nonce(self._header[-PREFIX_BYTES:], number)
            try:
                yield self._cipher.decrypt(
                    nonce, sealed[start : start + SEALED_BYTES], _aad(self._header, number == self._chunks - 1)
                )
            except InvalidTag:
                raise ObjectDamaged(f"Chunk {number} of the object cannot be decrypted.") from None


def _nonce(prefix: bytes, number: int) -> bytes:
    return prefix + number.to_bytes(4, "big")


def _aad(head: bytes, last: bool) -> bytes:
    return head + (b"\x01" if last else b"\x00")
