"""What clients were promised, on disk, written before anybody acts on it: the checker knows nothing else.

One JSON line a fact:
    asked     an upload is about to be sent (its answer may never come)
    accepted  the platform has promised to keep a document
    outcome   the platform has shown the outcome of a document
    broken    a client saw a promise broken, such as another company's document
    to_tell   a message to people is about to be asked for
    told      the platform has promised to send it, under these ids or with this page
    arrived   a receiver has read a message, and takes it or not
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Promised:
    """An upload: `document_id` once it was accepted, `outcome` once one was shown."""

    company: str
    key: str
    sha256: str
    expected: str
    document_id: str | None = None
    outcome: str | None = None


@dataclass
class Message:
    """Asked for by `owner`, a company or the platform, for each of `channels`; `about` stands in its text.

    Once it was promised it has `ids`, or the `page_id` whose calls name them. A page is told again from time to time
    while nobody takes it: `times`.
    """

    owner: str
    about: str
    channels: Sequence[str]
    ids: Sequence[str] = ()
    page_id: str | None = None
    times: int = 1

    @property
    def promised(self) -> bool:
        return bool(self.ids) or self.page_id is not None


@dataclass(frozen=True)
class Arrival:
    """What came to a channel of `owner`. `ids`: all that it bears, one where all is well. `taken`: it was accepted."""

    owner: str
    channel: str
    about: str
    ids: Sequence[str]
    taken: bool
    title: str = ""


@dataclass
class Promises:
    """The journal as it is read back. `uploads` by their key, `messages` by what they are about, `broken` as verdict
    and sentence."""

    uploads: dict[str, Promised] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)

    def accepted(self) -> list[Promised]:
        return [one for one in self.uploads.values() if one.document_id is not None]


class Journal:
    def __init__(self, file: Path) -> None:
        self.file = file
        self._lines = file.open("a", encoding="utf-8")
        self._began = time.monotonic()

    def write(self, fact: str, **values: Any) -> None:
        line = {"at": round(time.monotonic() - self._began, 3), "fact": fact, **values}
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()

    def close(self) -> None:
        self._lines.close()

    def read(self) -> Promises:
        self._lines.flush()
        return read(self.file)


def read(file: Path) -> Promises:
    found = Promises()
    for text in file.read_text().splitlines():
        line = json.loads(text)
        match line["fact"]:
            case "asked":
                found.uploads[line["key"]] = Promised(line["company"], line["key"], line["sha256"], line["expected"])
            case "accepted":
                upload = found.uploads[line["key"]]
                if upload.document_id not in (None, line["document"]):
                    found.broken.append(("doubled", f"key {upload.key} stands for two documents"))
                upload.document_id = line["document"]
            case "outcome":
                found.uploads[line["key"]].outcome = line["outcome"]
            case "to_tell":
                found.messages[line["about"]] = Message(line["owner"], line["about"], line["channels"])
            case "told":
                _told(found, found.messages[line["about"]], line["ids"], line["page"])
            case "arrived":
                shown = {name: line[name] for name in ("owner", "channel", "about", "ids", "taken", "title")}
                found.arrivals.append(Arrival(**shown))
            case "broken":
                found.broken.append((line["promise"], line["what"]))
    return found


def _told(found: Promises, message: Message, ids: Sequence[str], page_id: str | None) -> None:
    """Asked for again under the same key, it must be promised under the same ids."""
    if message.promised and (message.ids, message.page_id) != (ids, page_id):
        found.broken.append(("doubled", f"message {message.about} was promised twice, under different ids"))
    message.ids, message.page_id = ids, page_id
