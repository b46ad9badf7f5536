"""Large states on their way into a store, ahead of the commits that name them.

Theory of operation. A state of more than `AHEAD_BYTES` would hold up all that is committed together
with it. So its bytes go first, a piece at a time, between the commits of others; the commit holds
their name alone:

    new --(`write_ahead` returned True)--> begun --(False)--> whole: `name` is for one `Append`

Until that append is durable nobody can see the bytes; what no append has named is removed some time
(after a crash too). What is named is read back as if it stood in its record.
"""

from __future__ import annotations

from zlib import crc32

from .errors import Damaged

AHEAD_BYTES = 65_536  # beyond it the p99 of others showed it: a state of 10 MB held them up 20 ms


class Ahead:
    """One state, and how far it has come.

    Attributes:
        subject: shard, component and entity id.
        payload: all of it.
        number: by which the store knows it, 0 before it has begun.
        written: so many bytes are durable.
        name: what an append names it by, b"" before it is whole.
    """

    __slots__ = ("_crc", "name", "number", "payload", "subject", "written")

    def __init__(self, shard: int, component: str, entity: str, payload: bytes) -> None:
        self.subject = (shard, component, entity)
        self.payload = payload
        self.number = 0
        self.written = 0
        self.name = b""
        self._crc = 0

    def advance(self, written: int) -> bool:
        """So many bytes are durable; whether more are to come."""
        self._crc = crc32(memoryview(self.payload)[self.written : written], self._crc)
        self.written = written
        if written < len(self.payload):
            return True
        self.name = pack_name(self.number, len(self.payload), self._crc)
        return False


def pack_name(number: int, length: int, crc: int) -> bytes:
    """Number, length and checksum of what was written ahead."""
    return b"".join((number.to_bytes(8, "big"), length.to_bytes(8, "big"), crc.to_bytes(4, "big")))


def name_of(name: bytes) -> tuple[int, int, int]:
    """What a name says.

    Raises:
        Damaged: it is none.
    """
    if len(name) != 20:
        raise Damaged(f"the name of a state that was written ahead has {len(name)} bytes")
    number, length, crc = name[:8], name[8:16], name[16:]
    return int.from_bytes(number, "big"), int.from_bytes(length, "big"), int.from_bytes(crc, "big")
