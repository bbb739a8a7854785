"""`python -m faults`: what `eco chaos` runs, as a process of its own."""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from faults.campaign import SETTLE_SECONDS, Campaign
from faults.fleet import NotUp
from faults.kinds import BY_NAME, KINDS
from faults.report import Summary
from faults.schedule import as_json, read, schedule


def main() -> int:
    parsed = _arguments()
    try:
        faults = (
            read(parsed.schedule)
            if parsed.schedule
            else schedule(parsed.seed, parsed.minutes, parsed.services, replicas=parsed.replicas, kinds=parsed.kinds)
        )
    except (OSError, ValueError, TypeError) as error:
        print(f"eco chaos: {error}\nNext: eco chaos run --plan --json prints a schedule", file=sys.stderr)
        return 2
    if parsed.plan:
        print(json.dumps(as_json(faults), indent=1) if parsed.json else "\n".join(map(str, faults)))
        return 0
    campaign = Campaign(
        parsed.seed, parsed.minutes, parsed.services, faults, _teller(), parsed.replicas, parsed.rate, parsed.keep,
        parsed.settle,
    )  # fmt: skip
    try:
        summary = asyncio.run(_interruptible(campaign))
    except NotUp as error:
        print(f"eco chaos: the platform did not start:\n{error}\nNext: eco doctor", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    print(json.dumps(summary.as_json()) if parsed.json else "\n".join(summary.lines()))
    return 0 if summary.held else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="eco chaos run", description=__doc__)
    parser.add_argument("--services", type=lambda text: text.split(","), required=True, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help="another seed, another schedule (default: 1)")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long faults come (default: 1)")
    parser.add_argument("--replicas", type=int, default=2, help="of every service (default: 2)")
    parser.add_argument(
        "--rate", type=float, default=1.0, help="uploads a second; readings are four times (default: 1)"
    )
    parser.add_argument("--kinds", type=_kinds, default=(), help="only these kinds of fault, divided by commas")
    parser.add_argument("--schedule", type=Path, help="the faults of a file, as --plan --json prints them")
    parser.add_argument("--plan", action="store_true", help="print the schedule and do nothing")
    parser.add_argument(
        "--settle", type=float, default=SETTLE_SECONDS, metavar="SECONDS",
        help=f"what is under way so long after the last fault is stuck (default: {SETTLE_SECONDS:g})",
    )  # fmt: skip
    parser.add_argument("--keep", action="store_true", help="leave the home and the journal there")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(sys.argv[1:])


def _kinds(text: str) -> list[str]:
    names = text.split(",")
    if unknown := sorted(set(names) - set(BY_NAME)):
        known = ", ".join(kind.name for kind in KINDS)
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {known}")
    return names


def _teller() -> Callable[[str], None]:
    began_at = time.monotonic()
    return lambda text: print(f"{time.monotonic() - began_at:6.1f}  {text}", file=sys.stderr, flush=True)


async def _interruptible(campaign: Campaign) -> Summary:
    """SIGTERM ends a campaign as Ctrl-C does: in order, with nothing left behind."""
    task = asyncio.ensure_future(campaign.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


if __name__ == "__main__":
    sys.exit(main())
