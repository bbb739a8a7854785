"""`eco scale`: more or fewer replicas of a service, without a failed request."""

import argparse

from ecosystem.cli.noun import guarded
from ecosystem.cli.running import obey, this_home

SUMMARY = "Set the number of a service's replicas; new ones are ready, and old ones drained, when it returns."


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="eco scale", description=SUMMARY,
        epilog="It lasts until the next `eco up`; `replicas` under [fleet] in eco.toml stays.",
    )  # fmt: skip
    parser.add_argument("service", metavar="SERVICE", help="its name, long or short: creditx, creditx-backup")
    parser.add_argument("replicas", type=int, metavar="N", help="1 to 32; 0 for a backup")
    parser.add_argument("--json", action="store_true", help="print the state as JSON afterwards")
    parsed = parser.parse_args(arguments)
    return guarded(
        "eco scale",
        lambda: obey(
            this_home(), as_json=parsed.json, command="scale", service=parsed.service, replicas=parsed.replicas
        ),
    )
