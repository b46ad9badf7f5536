"""Loads: subjects on their way from the store, a part at a time.

Theory of operation. Whoever wants many subjects hands their `Load`s to `Store.load_some`, which
goes on with each until it is over or until it is told that it is enough. What is not over then is
handed in again and goes on where it stopped: its records are read from the newest back, and records
never change.

    new --(nothing was read yet)--> begun --(some records were)--> over: `found` is the outcome
"""

from __future__ import annotations

from .records import Head, History, Snapshot, StoredRecord

LOOK_RECORDS = 64  # of one subject between two looks whether it is enough: some 2 ms


class Load:
    """One subject, how far it has come, and in the end what was found.

    Attributes:
        subject: shard, component and entity id.
        over: `found` says how it went.
        found: as `Store.load` returns it, or what that raised.
        head: of the subject, when its events are being read.
        snapshot: that they come after.
        records: of them, those that were read, newest first.
    """

    __slots__ = ("found", "head", "over", "records", "snapshot", "subject")

    def __init__(self, shard: int, component: str, entity: str) -> None:
        self.subject = (shard, component, entity)
        self.over = False
        self.found: History | Exception | None = None
        self.head: Head | None = None
        self.snapshot: Snapshot | None = None
        self.records: list[StoredRecord] = []

    @property
    def begun(self) -> bool:
        """A part of it was read, and more is to come."""
        return self.head is not None and not self.over

    def end(self, found: History | Exception | None) -> None:
        """This is the outcome."""
        assert not self.over, "a load ends once"
        self.over = True
        self.found = found
        self.snapshot, self.records = None, []
