"""The file of the first administrator's one-time credential."""

import asyncio
import os
import tempfile
from pathlib import Path


class CredentialFile:
    """Mode 0600, there whole or not at all. Its content is never logged."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> str | None:
        return await asyncio.to_thread(self._read)

    async def keep(self, credential: str) -> str:
        """What the file holds: `credential`, or what another replica has put there before."""
        return await asyncio.to_thread(self._keep, credential)

    async def remove(self) -> None:
        await asyncio.to_thread(self._path.unlink, missing_ok=True)

    def _read(self) -> str | None:
        try:
            return self._path.read_text(encoding="ascii").strip() or None
        except (OSError, UnicodeDecodeError):
            return None

    def _keep(self, credential: str) -> str:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(credential + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            if self._path.exists() and len(self._read() or "") != len(credential):
                # Damaged: what is shorter could be guessed.
                self._path.unlink(missing_ok=True)
            # A link, unlike a rename, never takes the place of a file.
            os.link(temporary, self._path)
        except FileExistsError:
            pass
        finally:
            os.unlink(temporary)
        return self._read() or credential
