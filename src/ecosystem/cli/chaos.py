"""`eco chaos`: a platform of its own under load, faults by a seed, and a checker of what was promised.

The campaign is a program apart (`faults/`), which shares no code with the platform that it tries.
"""

import signal
import subprocess
import sys

from ecosystem.catalog import CATALOG
from ecosystem.cli.project import tool_environment
from ecosystem.fleet.place import our_command
from ecosystem.fleet.processes import die_with_parent

SUMMARY = "Kill, freeze, starve and disconnect parts of a platform of its own, and check that nothing was lost."
_USAGE = f"""usage: eco chaos run [OPTION] …    (eco chaos run --help names the options)

{SUMMARY}
A run that breaks a promise ends with the command that runs the same schedule again."""


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_USAGE)  # noqa: T201
        return 0
    if arguments[0] != "run":
        print(f"eco chaos: there is no verb {arguments[0]!r}.\nNext: eco chaos run --help", file=sys.stderr)  # noqa: T201
        return 2
    services = ",".join(entry.short_name for entry in CATALOG)
    command = our_command("faults", "--services", services, *arguments[1:])
    process = subprocess.Popen(  # noqa: S603 our own words
        command,
        env=tool_environment(),
        preexec_fn=lambda: die_with_parent(signal.SIGTERM),  # noqa: PLW1509 one thread
    )
    # Whoever ends us waits for the campaign, which ends its platform first.
    for number in (signal.SIGTERM, signal.SIGHUP):
        # `nohup` has it ignored, and means it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda told, _: process.send_signal(told))
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The terminal tells both of us; the campaign ends its platform first.
            continue
