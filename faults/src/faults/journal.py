"""What clients were promised, on disk, written before anybody acts on it: the checker knows nothing else.

One JSON line a fact:
    asked     an upload is about to be sent (its answer may never come)
    accepted  the platform has promised to keep a document
    outcome   the platform has shown the outcome of a document
    broken    a client saw a promise broken, such as another company's document
"""

import json
import time
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
class Promises:
    """The journal as it is read back. `uploads` by their key, `broken` as verdict and sentence."""

    uploads: dict[str, Promised] = field(default_factory=dict)
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
            case "broken":
                found.broken.append((line["promise"], line["what"]))
    return found
