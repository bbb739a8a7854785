"""The master keys, by version, from one file. The highest version wraps; the others only unwrap."""

import re
from pathlib import Path

from ecosystem.kernel.keys.errors import KeyUnknown, MasterKeyRefused
from ecosystem.kernel.keys.sealing import KEY_BYTES

_LINE = re.compile(r"(?:(\d{1,9}):)?([0-9a-fA-F]{64})")


class MasterKeys:
    """Read at once, since a service gives up the right to read the file; read again when it changes, if it still may.

    Rotation: add a line with a higher version, let every process see it, call `Keyring.rewrap`, remove the old line.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._keys, self._seen = _read(file)

    @property
    def newest(self) -> int:
        self._refresh()
        return max(self._keys)

    def secret(self, version: int) -> bytes:
        """Raises KeyUnknown."""
        if version not in self._keys:
            self._refresh()
        try:
            return self._keys[version]
        except KeyError:
            raise KeyUnknown(f"Version {version} of the master key is not in its file.") from None

    def _refresh(self) -> None:
        try:
            status = self._file.stat()
            if (status.st_mtime_ns, status.st_size) != self._seen:
                self._keys, self._seen = _read(self._file)
        except (OSError, MasterKeyRefused):
            # A file that is being replaced, or that we may not read any more: what was read stays good.
            return


def _read(file: Path) -> tuple[dict[int, bytes], tuple[int, int]]:
    try:
        status, content = file.stat(), file.read_bytes()
    except OSError as error:
        raise MasterKeyRefused(f"The master key file cannot be read: {error.strerror}.") from error
    if status.st_mode & 0o077:
        raise MasterKeyRefused(
            "Others than its owner may read the master key file.", suggestion="chmod 600 the file named by keys."
        )
    if len(content) == KEY_BYTES:
        return {1: content}, (status.st_mtime_ns, status.st_size)
    keys: dict[int, bytes] = {}
    for line in content.decode("ascii", "replace").split():
        match = _LINE.fullmatch(line)
        version = int(match.group(1) or 1) if match else 0
        if match is None or version < 1 or version in keys:
            raise MasterKeyRefused
        keys[version] = bytes.fromhex(match.group(2))
    if not keys:
        raise MasterKeyRefused("The master key file is empty.")
    return keys, (status.st_mtime_ns, status.st_size)
