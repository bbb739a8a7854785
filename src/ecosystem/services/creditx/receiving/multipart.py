"""multipart/form-data (RFC 7578) as it arrives: one file into shared memory, short fields beside it, nothing else."""

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ecosystem.kernel.sandbox.shared import SharedBytes
from ecosystem.services.creditx.errors import FileTooLarge, UploadMalformed

OVERHEAD_BYTES_MAX = 64 << 10
_FIELD_BYTES_MAX = 200
_FIELDS = ("rule_set", "customer")
_BOUNDARY_BYTES_MAX = 70


@dataclass
class Upload:
    """What came: the content (close it), its SHA-256, and the texts beside it as they were sent."""

    content: SharedBytes
    file_name: str = ""
    rule_set: str | None = None
    customer: str | None = None
    checksum: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> bytes:
        return self.checksum.digest()


class _Receiver:
    """The parser's callbacks. Raises UploadMalformed and FileTooLarge from within the parser."""

    def __init__(self, bytes_max: int) -> None:
        self.upload = Upload(SharedBytes())
        self.ended = False
        self._bytes_max = bytes_max
        self._name: str | None = None
        self._seen: set[str] = set()
        self._header, self._value = bytearray(), bytearray()
        self._headers: dict[str, str] = {}
        self._field = bytearray()

    def on_part_begin(self) -> None:
        self._headers, self._name = {}, None
        self._field = bytearray()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._header.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._header, self._value = bytearray(), bytearray()

    def on_headers_finished(self) -> None:
        disposition, options = parse_options_header(self._headers.get("content-disposition"))
        name = options.get(b"name", b"").decode("latin-1")
        if disposition != b"form-data" or name not in ("file", *_FIELDS) or name in self._seen:
            raise UploadMalformed("The form has one field `file`, at most one `rule_set` and `customer`, and no other.")
        if "content-transfer-encoding" in self._headers:
            raise UploadMalformed("A part has no Content-Transfer-Encoding.")
        self._seen.add(name)
        self._name = name
        if name == "file":
            if b"filename" not in options:
                raise UploadMalformed("The field `file` is a file: it has a file name.")
            try:
                self.upload.file_name = options[b"filename"].decode("utf-8")
            except UnicodeDecodeError:
                raise UploadMalformed("A file name is UTF-8.") from None

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._name == "file":
            if self.upload.content.size + len(piece) > self._bytes_max:
                raise FileTooLarge(self._bytes_max)
            self.upload.content.write(piece)
            self.upload.checksum.update(piece)
            return
        self._field += piece
        if len(self._field) > _FIELD_BYTES_MAX:
            raise UploadMalformed(
                f"The field `{self._name}` has more than {_FIELD_BYTES_MAX} bytes.",
                suggestion=f"Send at most {_FIELD_BYTES_MAX} bytes in `{self._name}`.",
            )  # fmt: skip

    def on_part_end(self) -> None:
        if self._name in _FIELDS:
            setattr(self.upload, self._name, self._field.decode("utf-8", "replace"))

    def on_end(self) -> None:
        self.ended = True

    @property
    def complete(self) -> bool:
        return self.ended and "file" in self._seen


def boundary_of(content_type: str | None) -> bytes:
    """Raises UploadMalformed."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= _BOUNDARY_BYTES_MAX:
        raise UploadMalformed
    return boundary


async def receive(
    content_type: str | None, stream: AsyncIterator[bytes], bytes_max: int, take: Callable[[int], None]
) -> Upload:
    """Read the whole body. The caller closes the content; where this raises, nothing is left.

    `take` is called with the size of each piece before it is kept, and may raise.

    Raises:
        UploadMalformed: another form, an unknown field, or a body that ends too early.
        FileTooLarge: as soon as the file passes `bytes_max`; the rest is not read.
    """
    receiver = _Receiver(bytes_max)
    names = ("on_part_begin", "on_header_field", "on_header_value", "on_header_end", "on_headers_finished",
             "on_part_data", "on_part_end", "on_end")  # fmt: skip
    try:
        # A long file name is refused as one, not as a form that cannot be read.
        parser = MultipartParser(
            boundary_of(content_type), {name: getattr(receiver, name) for name in names},  # type: ignore[arg-type]
            max_header_size=OVERHEAD_BYTES_MAX,
        )  # fmt: skip
        async for piece in stream:
            take(len(piece))
            parser.write(piece)
        parser.finalize()
        if not receiver.complete:
            raise UploadMalformed("The body ended before its last part, or it has no field `file`.")
    except FormParserError:
        receiver.upload.content.close()
        raise UploadMalformed from None
    except BaseException:
        receiver.upload.content.close()
        raise
    return receiver.upload
