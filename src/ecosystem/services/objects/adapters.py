"""The place where objects lie, asked about itself."""

import asyncio
import shutil
from pathlib import Path

from ecosystem.kernel.errors import Unavailable
from ecosystem.kernel.objects.objects import Objects
from ecosystem.services.objects.model import Storage


class Folder:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def look(self) -> Storage:
        """Never raises: a place that cannot be used is not writable."""
        folder = self._objects.settings.folder
        try:
            await self._objects.ping()
        except Unavailable:
            return Storage("folder", False, *await asyncio.to_thread(_room, folder))
        return Storage("folder", True, *await asyncio.to_thread(_room, folder))


def _room(folder: Path | None) -> tuple[int, int]:
    """(free, total) bytes; zeros where there is no folder."""
    if folder is None or not folder.is_dir():
        return 0, 0
    usage = shutil.disk_usage(folder)
    return usage.free, usage.total
