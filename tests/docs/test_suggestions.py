"""Goal: every command that a message of ours names can be given. Method: find them in the code, and parse each."""

import argparse
import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from ecosystem.cli.main import COMMANDS, main
from faults import arguments
from tests.tidy.tree import ROOT

_NAMED = re.compile(r"`(?:\./)?eco ([a-z][^`]*)`")


class Parsed(Exception):
    """The words were understood; nothing is done."""


def named() -> Iterator[str]:
    for folder in ("src", "client/src", "faults/src"):
        for file in (ROOT / folder).rglob("*.py"):
            module = ast.parse(file.read_text())
            for node in ast.walk(module):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield from _NAMED.findall(node.value)


@pytest.mark.parametrize("command", sorted(set(named())))
def test_it_is_a_command(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that the message leaves to the reader may be missing; a word that is not known may not stand there."""
    parse, words = argparse.ArgumentParser.parse_args, shlex.split(command)

    def understood(parser: argparse.ArgumentParser, *given: Any, **more: Any) -> None:
        parse(parser, *given, **more)
        raise Parsed

    def refused(_: argparse.ArgumentParser, message: str) -> None:
        assert "are required" in message or "expected one argument" in message, message
        raise Parsed

    assert words[0] in {name for group in COMMANDS.values() for name, _ in group}
    if len(words) == 1:
        return
    monkeypatch.setattr(subprocess, "Popen", None)
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", understood)
    monkeypatch.setattr(argparse.ArgumentParser, "error", refused)

    with pytest.raises(Parsed):
        _give(words)


def _give(words: list[str]) -> None:
    if words[:2] == ["chaos", "run"]:
        # Its words are read by a program of its own.
        arguments.parse(["--services", "creditx", *words[2:]])
    main(words)
