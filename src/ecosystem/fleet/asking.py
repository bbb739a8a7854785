"""How a command asks the supervisor (`control`). Light: nothing of a server is imported for it."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from ecosystem.kernel.errors import Unavailable


def ask(path: Path, timeout_seconds: float, **question: Any) -> Iterator[dict[str, Any]]:
    """The answers of the supervisor behind `path`, as they come. Raises Unavailable when none listens there."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(timeout_seconds)
        try:
            line.connect(str(path))
            line.sendall(orjson.dumps(question) + b"\n")
            with line.makefile("rb") as answers:
                for answer in answers:
                    yield orjson.loads(answer)
        except OSError as error:
            raise Unavailable(f"The supervisor did not answer: {error.strerror or error}.") from error
