"""What was appended and not applied: durable, and in no table yet.

`LogStore` keeps one of these for each shard in which something waits for `apply` or
`truncate_after`; the medium keeps the same in its log.
"""

from __future__ import annotations

from collections.abc import Sequence

from .api import StoredRecord
from .tables import Layer


class Waiting:
    """Records of one shard that are durable and not applied, with a layer of what they will do.

    The layer is made when it is first asked for: while the log is replayed, tables may be ahead of
    records that a later marker cuts off.
    """

    def __init__(self) -> None:
        self.records: list[StoredRecord] = []
        self.pointers: list[int] = []
        self._ahead: Layer | None = None

    def ahead(self, below: Layer) -> Layer:
        """The tables `below` as they will be."""
        if self._ahead is None:
            self._ahead = Layer(below)
            for stored in self.records:
                self._ahead.apply(stored)
        return self._ahead

    def extend(self, records: Sequence[StoredRecord], pointers: Sequence[int]) -> None:
        self.records.extend(records)
        self.pointers.extend(pointers)
        if self._ahead is not None:
            for stored in records:
                self._ahead.apply(stored)
