"""`eco restart`: every replica replaced, one after the other, by a new one that was ready before."""

import argparse

from ecosystem.cli.noun import guarded
from ecosystem.cli.running import obey, this_home

SUMMARY = "Replace the replicas of a service (or of all) one after the other, with the code as it is now."


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="eco restart", description=SUMMARY)
    parser.add_argument("service", metavar="SERVICE", nargs="?", help="only this one: creditx")
    parser.add_argument("--json", action="store_true", help="print the state as JSON afterwards")
    parsed = parser.parse_args(arguments)
    return guarded(
        "eco restart", lambda: obey(this_home(), as_json=parsed.json, command="restart", service=parsed.service)
    )
