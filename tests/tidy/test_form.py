"""Goal: the house style holds everywhere. Method: read every tracked Python file as text and tree."""

import ast
import re

import pytest

from tests.tidy.tree import python_files, text, tree

OURS = ("src/", "client/", "specimens/", "faults/")
SERVICE_FILES = {
    "__init__", "app", "routes", "handlers", "consumers", "jobs", "service", "repository", "adapters", "model",
    "errors", "schemas", "settings", "ports",
}  # fmt: skip
SLEEPS = re.compile(r"\b(time|asyncio|anyio)\.sleep\((?!0\))")


def test_files_stay_under_400_lines() -> None:
    long = [f"{name}: {text(name).count(chr(10))}" for name in python_files(*OURS) if text(name).count("\n") > 400]

    assert long == []


def test_functions_fit_a_screen() -> None:
    long = [
        f"{name}:{node.lineno} {node.name}: {size} lines"
        for name in python_files(*OURS)
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := (node.end_lineno or node.lineno) - node.lineno + 1) > 60
    ]

    assert long == []


def test_every_module_says_what_it_is() -> None:
    silent = [name for name in python_files(*OURS) if text(name).strip() and not ast.get_docstring(tree(name))]

    assert silent == []


def test_packages_hold_only_a_docstring() -> None:
    """Importing a light module of a package must not import the heavy ones beside it."""
    allowed = {"src/ecosystem/__init__.py", "client/src/ecosystem_client/__init__.py"}
    busy = [
        name
        for name in python_files("src/")
        if name.endswith("/__init__.py") and name not in allowed and len(tree(name).body) > 1
    ]

    assert busy == []


def test_services_use_one_vocabulary_of_file_names() -> None:
    strange = [
        name
        for name in python_files("src/ecosystem/services/")
        if name.count("/") == 4 and name.rsplit("/", 1)[1].removesuffix(".py") not in SERVICE_FILES
    ]

    assert strange == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "HACK"])
def test_nothing_is_left_to_do(word: str) -> None:
    left = [
        f"{name}:{number}"
        for name in python_files()
        if not name.startswith("tests/tidy/")
        for number, line in enumerate(text(name).splitlines(), 1)
        if re.search(rf"#.*\b{word}\b|\b{word}:", line)
    ]

    assert left == []


def test_nothing_only_raises_not_implemented() -> None:
    hollow = [name for name in python_files(*OURS) if "NotImplementedError" in text(name)]

    assert hollow == []


def test_tests_do_not_sleep() -> None:
    """`poll` in tests/support waits for a condition; a fixed wait is either too short or too long."""
    sleeping = [
        f"{name}:{number}"
        for name in python_files("tests/")
        if not name.startswith(("tests/support/", "tests/tidy/"))
        for number, line in enumerate(text(name).splitlines(), 1)
        if SLEEPS.search(line)
    ]

    assert sleeping == []


def test_no_assertion_is_an_upper_limit_on_time() -> None:
    """A slow machine breaks no promise: a test waits for a state with `eventually`, and benchmarks measure."""
    gates = [
        f"{name}:{node.lineno}"
        for name in python_files("tests/")
        if not name.startswith("tests/support/")
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Assert)
        for part in ast.walk(node.test)
        if isinstance(part, ast.Compare)
        and any(isinstance(op, ast.Lt | ast.LtE) for op in part.ops)
        and re.search(r"attr='(time|monotonic|perf_counter|process_time)'", ast.dump(part))
    ]

    assert gates == []


def test_every_test_asserts() -> None:
    mute = [
        f"{name}:{node.lineno} {node.name}"
        for name in python_files("tests/")
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not re.search(r"Assert\(|'raises'|'(assert|check|expect|verify|refuse)", ast.dump(node))
    ]

    assert mute == []


def test_test_files_open_with_goal_and_method() -> None:
    silent = [
        name
        for name in python_files("tests/")
        if name.rsplit("/", 1)[1].startswith("test_")
        and not re.match(r"Goal: .*Method: ", ast.get_docstring(tree(name)) or "", re.DOTALL)
    ]

    assert silent == []
