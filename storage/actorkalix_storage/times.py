"""Times that subjects ask for, in order: what is due is found without walking through the rest.

Theory of operation. The dictionary is the truth; beside it stands a heap a kind of all times that
were put. An entry of the heap whose subject asks for another time by now, or for none, is void. The
first entries are dropped when they are void; those in between are passed over, and when they are
the most, the heap is made anew. Asking walks the heap from its root and goes below an entry only
once that one was taken.

One thread puts; who asks holds the owner's lock, for asking drops what is void.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from heapq import heapify, heappop, heappush

from .api import Due, TimerKind

Subject = tuple[int, str, str]  # shard, component id, entity id
Entry = tuple[int, int, str, str]  # time, subject

SLACK = 1_000  # void entries that are no reason to make a heap anew


class Times:
    """At most one time of each subject.

    Attributes:
        of: subject -> kind and time.
    """

    __slots__ = ("_heaps", "of")

    def __init__(self) -> None:
        self.of: dict[Subject, tuple[TimerKind, int]] = {}
        self._heaps: dict[TimerKind, list[Entry]] = {}

    def __bool__(self) -> bool:
        return bool(self.of)

    def put(self, subject: Subject, time: tuple[TimerKind, int] | None) -> None:
        """From now on the subject asks for this time, or for none."""
        if time is None:
            self.of.pop(subject, None)
        elif self.of.get(subject) != time:
            self.of[subject] = time
            kind, at_ms = time
            heap = self._heaps.setdefault(kind, [])
            heappush(heap, (at_ms, *subject))
            if len(heap) > 2 * len(self.of) + SLACK:
                self._heaps[kind] = self._anew(kind)

    def forget(self, shard: int) -> None:
        """Remove all of a shard."""
        self.of = {subject: time for subject, time in self.of.items() if subject[0] != shard}
        self._heaps = {kind: self._anew(kind) for kind in TimerKind}

    def due(
        self,
        kind: TimerKind,
        up_to_ms: int,
        limit: int,
        *,
        is_void: Callable[[Subject], bool],
        hidden: Container[int] = (),
    ) -> list[Due]:
        """The earliest up to a time, in order.

        Args:
            kind: of the times.
            up_to_ms: the last time that counts.
            limit: at most so many.
            is_void: whether a subject's time here does not count, now and for ever.
            hidden: shards that are left out for now.
        """
        heap = self._heaps.get(kind)
        found: list[Due] = []
        if heap is None:
            return found

        def is_gone(entry: Entry) -> bool:
            return self.of.get(entry[1:]) != (kind, entry[0]) or is_void(entry[1:])

        while heap and is_gone(heap[0]):
            heappop(heap)
        ahead: list[tuple[Entry, int]] = [(heap[0], 0)] if heap else []
        before: Entry | None = None
        while ahead and len(found) < limit:
            entry, place = heappop(ahead)
            if entry[0] > up_to_ms:
                break
            is_new = entry != before  # the same time may have been put twice
            if is_new and entry[1] not in hidden and not is_gone(entry):
                found.append(Due(kind, *entry))
            before = entry
            for below in (2 * place + 1, 2 * place + 2):
                if below < len(heap):
                    heappush(ahead, (heap[below], below))
        return found

    def _anew(self, kind: TimerKind) -> list[Entry]:
        heap = [(time[1], *subject) for subject, time in self.of.items() if time[0] is kind]
        heapify(heap)
        return heap
