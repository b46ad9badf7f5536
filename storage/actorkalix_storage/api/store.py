"""The protocol of a store. `actorkalix_storage.testing` holds the suite that every store passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from .ahead import Ahead
from .homes import HomeTable
from .loads import Load
from .positions import Position
from .records import (
    Append,
    Appended,
    Due,
    Head,
    History,
    Record,
    Refused,
    ShardPage,
    ShardState,
    Snapshot,
    StoredRecord,
    TimerKind,
)


class StoreIdentity(msgspec.Struct, frozen=True):
    """Whose store this is.

    Attributes:
        cluster: 32 hex digits, made with the first store of a service.
        service: name of the service.
        number: number of the store in its service, 0 and up.
        shards: number of shards of the service, fixed at creation (default 1,024).
        lineage: 64 random bits of this data directory.
    """

    cluster: str
    service: str
    number: int
    shards: int
    lineage: int


class Store(Protocol):
    """One log, its tables, one process.

    Threads: methods marked *writer* are called by the committer thread alone, one at a time; all
    others may be called from any thread at any time and never block on a writer's sync. Tables
    change in `apply` alone, which is a pure function of records; `commit` appends and applies in
    one transaction.
    """

    @property
    def identity(self) -> StoreIdentity: ...

    # ---- shards ------------------------------------------------------------------------------
    def shard(self, shard: int) -> ShardState:
        """What is durable of the shard (offset 0 and epoch 0 when it was never opened)."""
        ...

    def durable(self, shard: int) -> Position:
        """Newest durable position of the shard."""
        ...

    def applied(self, shard: int) -> Position:
        """Newest position that the tables hold: `durable` but between `append` and `apply`."""
        ...

    def damaged_shards(self) -> dict[int, str]:
        """Shards that must not be served, each with what was found."""
        ...

    def open_shards(
        self, shards: Iterable[int], now_ms: int, *, sealed: bool = False
    ) -> dict[int, int]:
        """*Writer.* Raise the epoch of each shard, durably; return the new epochs.

        One `EPOCH` record a shard says it. Left out are damaged shards, shards of which a copy is
        not complete, and sealed ones; `sealed`: these are opened too, for the home table says that
        the move for which they were sealed never happened.
        """
        ...

    def seal(self, shard: int, epoch: int) -> Position:
        """*Writer.* Refuse all further appends to the shard, durably; return its last position."""
        ...

    # ---- homes and moves ---------------------------------------------------------------------
    def homes(self) -> HomeTable | None:
        """The home table as this store knows it; None in a new store."""
        ...

    def put_homes(self, table: HomeTable) -> None:
        """*Writer.* Keep the table, durably. The same one again changes nothing.

        Raises:
            ValueError: the store has a newer one, or another one of the same version, or the table
                is of another number of shards.
        """
        ...

    def export(self, shard: int, after: int, limit: int = 500) -> ShardPage | None:
        """The next part of a shard beyond offset `after`, or None when that is all.

        At most `limit` records, and pages of at most some 4 MiB unless one record alone is larger.
        Records of cleaned subjects are left out, removed yet or not. The shard must not change from
        the first page to the last.

        Raises:
            ValueError: records of the shard wait for `apply`, or a copy of it is not complete here.
            Damaged: a record of it is damaged.
        """
        ...

    def receiving(self, shard: int) -> tuple[Position, int] | None:
        """Of an unfinished copy: the source's position when it began, last offset that is here."""
        ...

    def receive(self, shard: int, source: Position, page: ShardPage) -> int:
        """*Writer.* Take a page of a copy, durably; return the last offset that is here.

        A page that is here already changes nothing. With the page that reaches `source.offset` the
        copy is complete: the shard is as it was at its source, positions, tables and remembered
        replies included, and may be opened; a seal that it had there is none here. Until then its
        `shard` says how far the copy has come, and all other questions find nothing of it.

        Args:
            source: newest position of the shard in the store that it comes from.

        Raises:
            ValueError: the page does not follow what is here, or what is here came from another
                source position; `drop` first.
            Damaged: the shard is damaged here; `drop` first.
        """
        ...

    def drop(self, shard: int) -> None:
        """*Writer.* Forget everything of a shard, as if it had never been here; durably.

        It happens in one commit: after a crash either all or nothing of it is forgotten. What it
        occupied is reclaimed by `maintain`, or at once when the shard is opened or received again.
        Damage of the shard is forgotten too. Dropping what is not here changes nothing.

        Raises:
            ValueError: records of the shard wait for `apply`.
        """
        ...

    def parting(self, shard: int, position: Position) -> Position:
        """Newest position at or before `position` that this shard's log and a reader's share.

        It is `position` itself when the reader may go on from there. Otherwise the reader has seen
        another history (a restore has taken its end away, or it is of another service), and is to
        be rewound to what is returned, offset 0 when nothing is shared.
        """
        ...

    # ---- writing -----------------------------------------------------------------------------
    def commit(self, appends: Sequence[Append]) -> list[Appended | Refused]:
        """*Writer.* Append and apply a batch in one transaction.

        An append with an old epoch, a wrong version, an invalid record or a sealed shard is refused
        alone, inside the transaction; so is what follows it on the same subject with a version that
        no longer fits.

        Durability: everything `Appended` is on disk (fsync) when this returns.

        Raises:
            StoreFull: nothing of the batch is stored; the store goes on.
            DurabilityLost: what is stored is not known; the process must end.
        """
        ...

    def write_ahead(self, ahead: Ahead) -> bool:
        """*Writer.* Write the next piece of a large state ahead of the append that will name it.

        Durability: with the last piece all of it is on disk (fsync).

        Returns:
            True while more is to come.

        Raises:
            StoreFull: this piece is not stored; `forget_ahead` what came before.
            DurabilityLost: what is stored is not known; the process must end.
        """
        ...

    def forget_ahead(self, ahead: Ahead) -> None:
        """*Writer.* No append will name this; one that had its turn is forgotten without a word."""
        ...

    def append(self, shard: int, epoch: int, version: int, records: Sequence[Record]) -> Position:
        """*Writer.* Append without applying: the log is decided elsewhere, see `apply`.

        Raises:
            AppendRefused: with the `Refused` that says why.
        """
        ...

    def apply(self, shard: int, up_to: int) -> Position:
        """*Writer.* Apply appended records up to offset `up_to`; a second time changes nothing."""
        ...

    def truncate_after(self, shard: int, offset: int) -> Position:
        """*Writer.* Forget appended records beyond `offset` that were not applied.

        Raises:
            ValueError: `offset` is below what is applied.
        """
        ...

    # ---- subjects ----------------------------------------------------------------------------
    def head(self, shard: int, component: str, entity: str) -> Head | None:
        """The subject's head, or None when it has no record in this life."""
        ...

    def snapshot(self, shard: int, component: str, entity: str) -> Snapshot | None:
        """The newest snapshot of the subject's life, or None where there is none."""
        ...

    def load(self, shard: int, component: str, entity: str) -> History | None:
        """All that is needed to rebuild the subject.

        Raises:
            Damaged: a record it needs is damaged.
        """
        ...

    def load_some(self, loads: Sequence[Load], enough: Callable[[], bool]) -> None:
        """Go on with loads that are not over, in order, until it is enough.

        At least one comes further. Each ends as `load` of it would: by what is durable when it is
        first looked at, or with the `Damaged` that it would raise.

        Args:
            enough: is asked after each load, and every `LOOK_RECORDS` records of a long one.

        Raises:
            StoreError: of the whole store; what is not over may be handed in again.
        """
        ...

    def remembered(
        self, shard: int, component: str, entity: str, key: bytes
    ) -> StoredRecord | None:
        """The record that carries this idempotency key (16 bytes), if it is not forgotten."""
        ...

    def remembered_some(
        self, shard: int, component: str, entity: str, keys: Sequence[bytes]
    ) -> list[StoredRecord]:
        """The records that carry these keys, as far as there are any, in the order of the keys."""
        ...

    def history(
        self, shard: int, component: str, entity: str, *, after: int = 0, limit: int = 100
    ) -> list[StoredRecord]:
        """The subject's records with version above `after`, oldest first, at most `limit`.

        States and replies older than its newest state may have been reclaimed, the oldest first.
        """
        ...

    def subjects(
        self, component: str, *, after: tuple[int, str] | None = None, limit: int = 100
    ) -> list[tuple[int, str]]:
        """(shard, entity id) of a component's subjects beyond `after`, by shard, then by id."""
        ...

    def due(self, kind: TimerKind, up_to_ms: int, limit: int = 100) -> list[Due]:
        """Subjects whose time is at or before `up_to_ms`, earliest first, valid by their heads."""
        ...

    def records(self, shard: int, after: int, *, limit: int = 100) -> list[StoredRecord]:
        """Applied records of a shard beyond offset `after`, in order.

        Those of cleaned subjects are left out, and what was reclaimed (see `history`).
        """
        ...

    # ---- background --------------------------------------------------------------------------
    def put_snapshot(self, shard: int, component: str, entity: str, snapshot: Snapshot) -> None:
        """*Writer.* Store a snapshot; one that is older, or of another life, is ignored."""
        ...

    def maintain(self, now_ms: int) -> bool:
        """*Writer.* One bounded slice of background work: checkpoints, forgetting, reclaiming.

        Returns:
            True while more is waiting.
        """
        ...

    def close(self) -> None:
        """*Writer.* Checkpoint, mark the folder as cleanly closed, release the lock."""
        ...
