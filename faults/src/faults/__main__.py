"""`python -m faults`: what `eco chaos` runs, as a process of its own."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable

from faults.arguments import again, parse
from faults.campaign import Campaign
from faults.fleet import NotUp
from faults.report import Summary
from faults.schedule import as_json, read, schedule


def main() -> int:
    parsed = parse(sys.argv[1:])
    try:
        faults = (
            read(parsed.schedule)
            if parsed.schedule
            else schedule(parsed.seed, parsed.minutes, parsed.services, replicas=parsed.replicas, kinds=parsed.kinds)
        )
        if not faults:
            raise ValueError("No fault fits into so short a time; --minutes 1 holds a dozen.")
    except OSError as error:
        return _refused(f"{parsed.schedule} cannot be read: {error.strerror}.")
    except ValueError as error:
        return _refused(str(error))
    if parsed.plan:
        return _print(json.dumps(as_json(faults), indent=1) if parsed.json else "\n".join(map(str, faults)))
    campaign = Campaign(
        parsed.seed, parsed.minutes, parsed.services, faults, _teller(), parsed.replicas, parsed.rate, parsed.keep,
        parsed.settle, again(parsed),
    )  # fmt: skip
    try:
        summary = asyncio.run(_interruptible(campaign))
    except NotUp as error:
        print(f"eco chaos: the platform did not start:\n{error}\nNext: eco doctor", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    _print(json.dumps(summary.as_json()) if parsed.json else "\n".join(summary.lines()))
    return summary.exit_code


def _refused(rule: str) -> int:
    print(f"eco chaos: {rule}\nNext: eco chaos run --plan --json prints a schedule", file=sys.stderr)
    return 2


def _print(text: str) -> int:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # The reader of our output has seen enough (`| head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _teller() -> Callable[[str], None]:
    began_at = time.monotonic()
    return lambda text: print(f"{time.monotonic() - began_at:6.1f}  {text}", file=sys.stderr, flush=True)


async def _interruptible(campaign: Campaign) -> Summary:
    """SIGTERM ends a campaign as Ctrl-C does: in order, with nothing left behind."""
    task = asyncio.ensure_future(campaign.run())
    ended = False

    def end() -> None:
        # Only once: who ends a group of processes is heard twice, by us and by our parent, and the end needs its time.
        nonlocal ended
        if not ended:
            ended = True
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGHUP):
        # `nohup` has it ignored, and means it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, end)
    return await task


if __name__ == "__main__":
    sys.exit(main())
