"""A file that is written once, from its first byte to its last, and hashed on the way.

What is written is synced bit by bit: the file system's journal makes every other sync wait for what
a growing file has not written yet, so one sync at the end would hold up the commits of the store
next to it. What is on disk is dropped from the page cache, which a store needs for itself.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path

PIECE_BYTES = 1024**2
SYNC_BYTES = 16 * 1024**2
DIGEST_BYTES = 32


class NewFile:
    """A file that must not be there yet, readable by its owner alone.

    Attributes:
        path: where it is.
        size: bytes written so far.

    Raises:
        OSError: it is there, or cannot be made.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._fd = os.open(path, flags, 0o600)
        self._hash = blake2b(digest_size=DIGEST_BYTES)
        self._synced = 0
        self.path = path
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Append a piece.

        Raises:
            OSError: there is no space, or the disk fails.
        """
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self._hash.update(piece)
        self.size += len(piece)
        if self.size - self._synced >= SYNC_BYTES:
            os.fdatasync(self._fd)
            os.posix_fadvise(self._fd, self._synced, 0, os.POSIX_FADV_DONTNEED)
            self._synced = self.size

    def finish(self) -> str:
        """Make it durable, but for its name; gives the blake2b-256 of all that was written."""
        os.fsync(self._fd)
        return self._hash.hexdigest()

    def close(self) -> None:
        """Write no more."""
        os.close(self._fd)

    def remove(self) -> None:
        """Remove it before it is closed; another file that has its name by now stays."""
        try:
            found = os.stat(self.path).st_ino
        except FileNotFoundError:
            return
        if found == os.fstat(self._fd).st_ino:
            self.path.unlink()
