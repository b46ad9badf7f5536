"""The lookup queue: whether idempotency keys were used is asked of the store in batches.

Theory of operation. One batch is with the committer's reader at a time. The first question that
comes while there is none goes at once; what comes meanwhile waits and is the next batch, so a lone
one waits for nobody and many cost one handover between the threads. Answers are told in the order
of the questions. A question that fails costs no other.
"""

from __future__ import annotations

from collections.abc import Callable

from actorkalix_cluster.shardhost.committer import outcome_of
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_storage.api import StoredRecord

BATCH_MAX = 256  # some 5 ms of the reader, which loads entities too

Used = list[StoredRecord] | Exception
Done = Callable[[Used], object]
_Asked = tuple[int, str, str, tuple[bytes, ...], Done]


class LookupQueue:
    """Questions that wait for the reader, and the one batch that it has."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._committer = parts.committer
        self._waiting: list[_Asked] = []
        self._flying = False
        self._closed = False

    def put(
        self, shard: int, component: str, entity: str, keys: tuple[bytes, ...], done: Done
    ) -> None:
        """Ask for the records that carry these keys; `done` is called later, not from in here."""
        self._waiting.append((shard, component, entity, keys, done))
        if not self._flying:
            self._leave()

    def close(self) -> None:
        """Hand nothing over any more and tell no answer: the host has ended."""
        self._closed = True
        self._waiting.clear()

    def _leave(self) -> None:
        batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
        self._flying = bool(batch)
        if batch:
            self._committer.read(
                lambda: self._found(batch), lambda outcome: self._back(batch, outcome)
            )

    def _back(self, batch: list[_Asked], outcome: list[Used] | Exception) -> None:
        if self._closed:
            return
        assert not isinstance(outcome, Exception), f"each has an answer of its own: {outcome!r}"
        for (*_, done), used in zip(batch, outcome, strict=True):
            done(used)
        self._leave()

    # ---- beside the loop ----------------------------------------------------------------------
    def _found(self, batch: list[_Asked]) -> list[Used]:
        return [self._used(*asked) for asked in batch]

    def _used(
        self, shard: int, component: str, entity: str, keys: tuple[bytes, ...], _: Done
    ) -> Used:
        return outcome_of(lambda: self._store.remembered_some(shard, component, entity, keys))
