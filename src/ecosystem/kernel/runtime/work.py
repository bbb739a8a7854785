"""What runs beside the doors: consumers, workers, jobs and background tasks, with an order of stopping."""

import asyncio
from collections.abc import Awaitable, Callable

from ecosystem.kernel.messaging.runner import ConsumerRunner
from ecosystem.kernel.messaging.settings import MessagingSettings
from ecosystem.kernel.runtime.assembly import Hosted
from ecosystem.kernel.runtime.jobs import Leadership, run_job
from ecosystem.kernel.telemetry.log import log

_RESTART_SECONDS = 1.0


class Work:
    """`start` begins everything, `stop` lets everything finish what it has in hand.

    `agents_alone`: only what the agents themselves need, so that a backup's pools are there for them.
    """

    def __init__(self, hosted: Hosted, *, agents_alone: bool = False) -> None:
        self._hosted, self._agents_alone = hosted, agents_alone
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._leadership = Leadership(hosted.kernel.database)

    def start(self) -> None:
        kernel, service = self._hosted.kernel, self._hosted.service
        if not self._agents_alone:
            settings = kernel.source.get(MessagingSettings)
            for consumer in service.consumers:
                runner = ConsumerRunner(kernel.database, consumer, settings, clock=kernel.clock, ids=kernel.ids)
                self._begin(f"consumer {consumer.name}", runner.run)
            for worker in service.workers:
                self._begin(f"worker {worker.queue}", worker.run)
        for job in self._hosted.jobs:
            if self._agents_alone and job in service.jobs:
                continue
            self._begin(f"job {job.name}", lambda stop, job=job: run_job(job, self._leadership, stop))  # type: ignore[misc]
        for number, background in enumerate(service.background):
            self._begin(f"background {number}", background)

    async def stop(self, within_seconds: float) -> None:
        """Ask everything to end, wait, and cut what is left after `within_seconds`."""
        self._stop.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within_seconds)
            for task in late:
                log.warning("work was cut off", work=task.get_name())
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._leadership.close()

    def _begin(self, name: str, run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(keep(name, run, self._stop), name=name))


async def keep(name: str, run: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
    """Run until `stop`; what ends or fails before is told and begun again."""
    while not stop.is_set():
        try:
            await run(stop)
            if stop.is_set():
                return
            log.warning("work ended by itself", work=name)
        except Exception as error:
            log.error("work failed", work=name, exc_info=error)
        try:
            await asyncio.wait_for(stop.wait(), _RESTART_SECONDS)
        except TimeoutError:
            continue
