"""Print what happens in a company as it happens, until so many events: python examples/tail_events.py 10

Needs ECO_URL, ECO_CA, ECO_CLIENT_ID and ECO_CLIENT_SECRET. Keep `position` and give it back as `after`, and nothing
is missed while the program is down.
"""

import asyncio
import os
import sys

from ecosystem_client import AsyncEcosystem


async def main(count: int, after: str | None) -> None:
    environment = os.environ
    async with AsyncEcosystem(
        environment["ECO_URL"], environment["ECO_CLIENT_ID"], environment["ECO_CLIENT_SECRET"], ca=environment["ECO_CA"]
    ) as ecosystem:
        async for event in ecosystem.events.tail(after=after):
            print(event.time, event.type, event.subject, event.position)
            count -= 1
            if count == 0:
                return


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
