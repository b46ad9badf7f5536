"""What a projection knows of a table's subjects while it applies a batch."""

from __future__ import annotations

from actorkalix.viewsql.storage import Parameters
from actorkalix_cluster.shardhost.feeding import Held


class Tally:
    """What became of the records of a batch, and of all before.

    Attributes:
        handled: records that were handled.
        duplicates: records that were here already.
        gaps: subjects that were parked because a record of theirs is missing.
        refused: messages of topics that do not say which row they are about.
        unseen_ends: lives that ended without a notice.
    """

    __slots__ = ("duplicates", "gaps", "handled", "refused", "unseen_ends")

    def __init__(self) -> None:
        self.handled = self.duplicates = self.gaps = self.refused = self.unseen_ends = 0

    def add(self, other: Tally) -> None:
        """Count these too."""
        for name in Tally.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Subject:
    """A subject of a table while a batch is applied.

    Attributes:
        name, shard: whose row, and where its records are.
        incarnation, number, version, deleted: of what was taken; 0 of a subject that is new.
        stored: the row's JSON, or None.
        row: its parameters where it was changed.
        held: it waits.
        changed, known: row, and the rest, differ from what the file has.
        gone: nothing is known of it any more.
    """

    __slots__ = (
        "changed",
        "deleted",
        "gone",
        "held",
        "incarnation",
        "known",
        "name",
        "number",
        "row",
        "shard",
        "stored",
        "version",
    )

    def __init__(self, name: str, shard: int) -> None:
        self.name = name
        self.shard = shard
        self.incarnation = self.number = self.version = self.deleted = 0
        self.stored: str | None = None
        self.row: Parameters | None = None
        self.held: Held | None = None
        self.changed = self.known = self.gone = False
