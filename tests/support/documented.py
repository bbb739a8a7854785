"""The commands that our documents show: every line of their shell blocks, and every `eco …` in their text."""

import re
import shlex
from dataclasses import dataclass

from tests.tidy.tree import files, text

_DOCUMENTS = re.compile(
    r"(README|CONTRIBUTING|ARCHITECTURE|(client|faults|specimens)/README|docs/(guides|runbooks)/.*)\.md"
)
_BLOCK = re.compile(r"^ *```(?:console|sh|bash|shell)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`((?:\./)?eco [^`]+)`")


@dataclass(frozen=True)
class Shown:
    """`words` begin with `eco`, or with another program; comments and prompts are left out."""

    document: str
    words: tuple[str, ...]

    @property
    def command(self) -> str:
        return shlex.join(self.words)


def _commands(block: str) -> list[str]:
    """Its lines; where some have a prompt the others are what is answered."""
    lines = block.splitlines()
    return [line for line in lines if line.strip().startswith("$ ")] or lines


def shown() -> list[Shown]:
    """In the order of reading; what stands in a document twice is there twice."""
    found = []
    for name in files():
        if _DOCUMENTS.fullmatch(name):
            content = text(name)
            lines = [line for block in _BLOCK.findall(content) for line in _commands(block)]
            for line in [*lines, *_INLINE.findall(_BLOCK.sub("", content))]:
                if words := shlex.split(line.strip().removeprefix("$ "), comments=True):
                    found.append(Shown(name, (words[0].removeprefix("./"), *words[1:])))
    return found
