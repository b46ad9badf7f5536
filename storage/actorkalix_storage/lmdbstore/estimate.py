"""How much of the log is stale: a guess that costs next to nothing, made while records come.

A state supersedes one that was about as large and about as young, and a reply of an entity that has
a state goes with its next one. Where such a record has a key it stays until that is forgotten, so
its bytes count from that hour on. A `TRIMMED` record says how much it trims. What a checkpoint has
not brought to disk no pass of `compaction` can reclaim: it counts from the checkpoint on. A pass
puts what it found in the guess's place.
"""

from __future__ import annotations

from collections.abc import Mapping

from actorkalix_storage.api import Head, RecordKind, StoredRecord, trim_of
from actorkalix_storage.tables import HOUR_MS, Subject

NOW = -1  # an hour before all others
_FRAME_BYTES = 128  # of a frame without key, reply and payload, and what leads to it


class Estimate:
    """A guess.

    Attributes:
        log_bytes: of all rows of the log.
        stale: hour of the keys that must be forgotten first, or `NOW` -> bytes; as of the last
            checkpoint.
    """

    def __init__(self, log_bytes: int, stale: Mapping[int, int]) -> None:
        self.log_bytes = log_bytes
        self.stale = dict(stale)
        self._since: dict[int, int] = {}  # the same of what came after the checkpoint

    def take(self, stored: StoredRecord, heads: Mapping[Subject, Head | None]) -> None:
        """A record was written; `heads` has its subject's."""
        record = stored.record
        if record.kind is RecordKind.TRIMMED:
            self._since[NOW] = self._since.get(NOW, 0) + trim_of(record.payload)[1]
            return
        if record.kind is RecordKind.STATE:
            if record.number == 1:
                return
        elif record.kind is RecordKind.REPLY:
            head = heads.get((stored.shard, record.component, record.entity))
            if head is None or not head.state_offset:
                return
        else:
            return
        hour = record.time_ms // HOUR_MS if record.key else NOW
        size = _FRAME_BYTES + len(record.key) + len(record.reply) + len(record.payload)
        self._since[hour] = self._since.get(hour, 0) + size

    def settle(self) -> None:
        """A checkpoint begins: with it, all that came so far counts."""
        since, self._since = self._since, {}
        for hour, size in since.items():
            self.add(hour, size)

    def add(self, hour: int, size: int) -> None:
        """So much is stale from when the keys of an hour are forgotten."""
        self.stale[hour] = self.stale.get(hour, 0) + size

    def stale_bytes(self, oldest_hour: int) -> int:
        """What is stale now that keys before an hour are forgotten."""
        for hour in [hour for hour in self.stale if NOW < hour < oldest_hour]:
            self.add(NOW, self.stale.pop(hour))
        return self.stale.get(NOW, 0)
