"""Documents to upload: small PDFs with a text layer, no two alike, now and then one of nearly 1 MiB."""

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from pypdf import PdfWriter
from pypdf.generic import StreamObject

from specimens.maker import make
from specimens.model import Kind

_KINDS = (Kind.BANK_STATEMENT, Kind.INVOICE, Kind.PROOF_OF_ADDRESS)
_LARGE_EVERY = 10
_LARGE_BYTES = 1_000_000


@dataclass(frozen=True)
class Document:
    """`outcome` is what comes of it where nothing fails."""

    name: str
    content: bytes
    outcome: str


def documents(seed: int, today: date) -> Iterator[Document]:
    """Without end; the same for the same seed and day."""
    number = 0
    while True:
        number += 1
        made = make(_KINDS[number % len(_KINDS)], seed=seed * 100_000 + number, as_of=today)
        content = made.content if number % _LARGE_EVERY else _enlarged(made.content, number)
        yield Document("document.pdf", content, str(made.truth.outcome))


def _enlarged(content: bytes, seed: int) -> bytes:
    """The same document with an object that no page uses."""
    writer = PdfWriter(clone_from=io.BytesIO(content))
    ballast = StreamObject()
    ballast._data = random.Random(seed).randbytes(_LARGE_BYTES - len(content))
    writer._add_object(ballast)
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()
