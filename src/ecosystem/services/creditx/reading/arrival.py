"""The first job for an upload: its inspection, and what stands on it where that is quick to read. Runs in the sandbox.

The upload goes on with the first answer; the second is there by the time the document is to be read.
"""

from collections.abc import Iterator
from typing import Any

from ecosystem.services.creditx.reading import extraction, inspection
from ecosystem.services.creditx.reading.opened import Pdf
from ecosystem.services.creditx.reading.sources import PDF


def prepare_sandbox() -> None:
    inspection.prepare_sandbox()
    extraction.prepare_sandbox()


def rehearse_sandbox() -> None:
    inspection.rehearse_sandbox()
    extraction.rehearse_sandbox()


extract = extraction.extract
"""The reading alone, in a worker that has practised both."""


def arrive(
    payload: bytes, *, inspect: dict[str, Any], habits: dict[str, Any] | None, extracted_pages_max: int
) -> Iterator[dict[str, Any]]:
    """What `inspection.inspect` answers; for a short PDF whose pages all have text, then what `extract` does.

    `inspect` and `habits` are their arguments; without habits there is no reading.
    """
    with Pdf(payload, kept_pages_max=extracted_pages_max) as pdf:
        answer = inspection.look_at(pdf, **inspect)
        yield answer
        facts = answer.get("facts")
        if habits is None or facts is None or facts["media_type"] != PDF or facts["pages_to_read"]:
            return
        if facts["pages"] <= extracted_pages_max:
            yield extraction.read(pdf, media_type=PDF, **habits)
