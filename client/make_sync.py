"""Makes `_sync` from `_async`: the same client without awaiting. `--check` only says whether they differ.

A substitution of words, because both faces of `httpx` differ in words only; what is written stays one text.
"""

import re
import subprocess
import sys
from pathlib import Path

_SOURCE = Path(__file__).parent / "src" / "ecosystem_client" / "_async"
_TARGET = _SOURCE.with_name("_sync")

_WORDS = (
    (r"async (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bimport anyio\nimport httpx", "import httpx"),
    (r"\bimport anyio\n", ""),
    (r"\banyio\.sleep\b", "time.sleep"),
    (r"\banyio\.Lock\b", "threading.Lock"),
    (r"\bhttpx\.Async(\w+)", r"httpx.\1"),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\bAbstractAsyncContextManager\b", "AbstractContextManager"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\bAsync([A-Z]\w+)", r"\1"),
    (r"Awaitable\[([^\]]+)\]", r"\1"),
    (r"import Awaitable, Callable", "import Callable"),
    (r"_async\b", "_sync"),
    (r"\b__aenter__\b", "__enter__"),
    (r"\b__aexit__\b", "__exit__"),
    (r"\b(aread|aclose|aiter_lines|aiter_bytes)\b", lambda match: match[1][1:]),
    (r"claim_first_administrator_sync", "claim_first_administrator"),
)


def made_from(text: str) -> str:
    for pattern, replacement in _WORDS:
        text = re.sub(pattern, replacement, text)
    used = [name for name in ("threading", "time") if re.search(rf"\b{name}\.(sleep|Lock)", text)]
    modules = [name for name in used if f"\nimport {name}\n" not in text]
    head, _, rest = text.partition('"""\n\n')
    text = f'{head}"""\n\n' + "".join(f"import {name}\n" for name in modules) + rest
    return _formatted(text)


def _formatted(text: str) -> str:
    for command in (("check", "--fix-only", "--unsafe-fixes", "--quiet", "--select", "I,UP028"), ("format", "--quiet")):
        text = subprocess.run(  # noqa: S603 our own words
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(_TARGET / "x.py"), "-"],
            input=text, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    return text


def main(arguments: list[str]) -> int:
    differing = []
    for source in sorted(_SOURCE.glob("*.py")):
        target = _TARGET / source.name
        if source.name == "__init__.py":
            text = '"""The client without awaiting. Made from `_async` by `client/make_sync.py`: change it there."""\n'
        else:
            text = made_from(source.read_text())
        if not target.exists() or target.read_text() != text:
            differing.append(source.name)
            if "--check" not in arguments:
                target.write_text(text)
    if differing and "--check" in arguments:
        sys.stderr.write(f"_sync differs in {', '.join(differing)}. Run: python client/make_sync.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
