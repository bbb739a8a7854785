"""`python -m ecosystem …`: commands, and the one place where a string of the catalog becomes code.

`serve NAME`, `zygote` and `supervise` are what the fleet starts; everything else is a command of `cli`.
"""

import gc
import os
import sys
from contextlib import suppress
from typing import Any


def main() -> int:
    """Dispatch on the first word; each branch imports only what it needs."""
    word, rest = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    if word == "supervise":
        from ecosystem.fleet.first import begin_first_zygote
        from ecosystem.fleet.place import default_home

        zygote = begin_first_zygote(default_home(os.environ))
        from ecosystem import entrypoints

        return entrypoints.run(word, rest, zygote)
    if word in ("serve", "zygote"):
        # What is imported stays: a collector that looks for garbage meanwhile costs a quarter of the import.
        gc.disable()
        from ecosystem import entrypoints

        return entrypoints.run(word, rest)
    from ecosystem.cli.main import main as command

    finders = {
        "config": _settings_classes, "doctor": _settings_classes, "schemas": _schemas, "rules": _rules_bench,
    }  # fmt: skip
    code = command(sys.argv[1:], finders)
    if word == "up":
        # Somebody waits, and taking down piece by piece what was imported takes longer than what is left to do.
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    return code


def _settings_classes() -> list[type[Any]]:
    from ecosystem import entrypoints

    return list(entrypoints.settings_classes())


def _schemas() -> dict[str, dict[str, Any]]:
    from ecosystem import description

    return description.schemas()


def _rules_bench() -> Any:
    from ecosystem.entrypoints import resolve

    return resolve("ecosystem.services.creditx.judging.bench:BENCH")


if __name__ == "__main__":
    sys.exit(main())
