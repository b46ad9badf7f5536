"""How far consumers have read a shard: one small actor in every shard that somebody reads.

A cursor says: everything up to this position is handled, but for the subjects that are parked, each
from a version on. It is written behind the work (`consumers`), so after a crash the last second is
handled again. All cursors of a shard lie in one pinned actor, whose state is the whole map; an
order to move some of them replaces those alone.

The payload of its records is MessagePack: an array of cursors, each an array of fields in a fixed
order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from actorkalix_cluster.shardhost.behavior import Step
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from actorkalix_storage.api import History, Position, Record, RecordKind, Snapshot

CURSORS = "~~cursors"
MOVE = "move"


class Parked(msgspec.Struct, frozen=True, array_like=True):
    """A subject that waits because its consumer fails on it.

    Attributes:
        component, entity: of the subject.
        version: of its last record that was handled; 0 where it waits with a snapshot.
        offset: of its first record that was not.
        attempts: that failed so far.
        since_ms: time of the first one.
        failure: of the last one, for those who look.
    """

    component: str
    entity: str
    version: int
    offset: int
    attempts: int
    since_ms: int
    failure: str


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """How far a consumer has come in a shard.

    Attributes:
        consumer: its id.
        lineage, epoch, offset: of the last position that is handled, parked subjects apart.
        parked: subjects that wait, with their records up to that position.
        begins: it has not been at the end of the shard's log yet, and takes snapshots.
    """

    consumer: str
    lineage: int
    epoch: int
    offset: int
    parked: tuple[Parked, ...] = ()
    begins: bool = False

    @property
    def position(self) -> Position:
        """Where it stands."""
        return Position(self.lineage, self.epoch, self.offset)

    @property
    def passed(self) -> Position:
        """Up to where it needs nothing any more."""
        first = min((one.offset for one in self.parked), default=self.offset + 1)
        return Position(self.lineage, self.epoch, min(self.offset, first - 1))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Cursor, ...]).decode


def pack_cursors(cursors: Iterable[Cursor]) -> bytes:
    """Payload of an order to move, and of a record."""
    return _encode(tuple(cursors))


def unpack_cursors(payload: bytes) -> dict[str, Cursor]:
    """The cursors by consumer.

    Raises:
        msgspec.DecodeError: it is no such payload.
    """
    return {cursor.consumer: cursor for cursor in _decode(payload)}


def move_order(entity: str, cursors: Iterable[Cursor]) -> Message:
    """The message that moves these cursors of a shard."""
    payload = pack_cursors(cursors)
    return Message(MessageKind.COMMAND, CURSORS, entity, MOVE, payload, Encoding.MSGPACK)


class Board(msgspec.Struct, frozen=True):
    """The actor of a shard: its cursors by consumer, and how many records led to them."""

    entity: str
    cursors: Mapping[str, Cursor] = {}
    version: int = 0


class CursorBehavior:
    """`Behavior[Board]`. Idempotency keys never come here."""

    def empty(self, entity: str) -> Board:
        return Board(entity)

    def restore(self, entity: str, history: History) -> Board:
        cursors = unpack_cursors(history.records[-1].record.payload) if history.records else {}
        return Board(entity, cursors, history.head.version)

    def step(self, instance: Board, message: Message, now_ms: int) -> Step[Board]:
        """Move cursors; other messages change nothing."""
        if message.kind is not MessageKind.COMMAND or message.method != MOVE:
            return Step(instance, (), Reply())
        cursors = {**instance.cursors, **unpack_cursors(message.payload)}
        board = Board(instance.entity, cursors, instance.version + 1)
        payload = pack_cursors(cursors.values())
        record = Record(RecordKind.STATE, CURSORS, instance.entity, board.version, now_ms, payload)
        return Step(board, (record,), Reply())

    def version(self, instance: Board) -> int:
        return instance.version

    def snapshot(self, instance: Board) -> Snapshot:
        return Snapshot(0, instance.version, 0, pack_cursors(instance.cursors.values()))

    def key_hash(self, message: Message) -> bytes:
        raise AssertionError("cursors are moved without keys")

    def remembered(self, message: Message, reply: bytes) -> Reply:
        raise AssertionError("cursors are moved without keys")
