"""Server-sent events (WHATWG HTML, 9.2): bytes of a stream in, messages out; no network in here."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    event: str
    data: str
    id: str | None


class Decoder:
    """Feed lines without their ends; an empty line completes a message."""

    def __init__(self) -> None:
        self._event, self._data, self._id = "", [], None  # type: str, list[str], str | None

    def feed(self, line: str) -> Iterator[Message]:
        if not line:
            if self._data:
                yield Message(self._event or "message", "\n".join(self._data), self._id)
            self._event, self._data = "", []
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._event = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case _:
                pass  # a comment (the line begins with a colon) keeps the connection open; `retry` is ours to choose
