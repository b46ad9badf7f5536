"""Dead letters: entries that a consumer was told to give up, kept until somebody looks after them.

Theory of operation. Each is an actor of the shard in which the entry lies, named by consumer and
offset; its state has the whole record, for the log may be reclaimed behind the consumer. It is
written before the consumer passes the entry, so an entry is handled, waits, or lies here.

    message   of a letter that is there            answer
    put       replaces it: the entry was tried     -
              again after a crash
    failed    counts an attempt                    -
    drop      gone, and its id begins anew         whether it was there
    get       -                                    `DeadLetter`, or nothing

The payload of its record is MessagePack, an array of fields in a fixed order.
"""

from __future__ import annotations

import msgspec

from actorkalix_cluster.placement.sharding import pinned_id
from actorkalix_cluster.shardhost.behavior import Step
from actorkalix_cluster.shardhost.cursors import Parked
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_storage.api import History, Position, Record, RecordKind, Snapshot

DEAD_LETTERS = "~~dead-letters"
PUT, FAILED, DROP, GET = "put", "failed", "drop", "get"


class DeadLetter(msgspec.Struct, frozen=True, array_like=True):
    """An entry that was given up.

    Attributes:
        consumer: who failed on it.
        shard, lineage, epoch, offset: where the record stood.
        version: the subject's number of records after it.
        kind, component, entity, number, time_ms, payload: of the record.
        attempts: that failed.
        since_ms, failed_ms: time of the first and of the last of them.
        failure: of the last one.
    """

    consumer: str
    shard: int
    lineage: int
    epoch: int
    offset: int
    version: int
    kind: int
    component: str
    entity: str
    number: int
    time_ms: int
    payload: bytes
    attempts: int
    since_ms: int
    failed_ms: int
    failure: str

    @property
    def id(self) -> str:
        """Its entity id."""
        return letter_id(self.shard, self.consumer, self.offset)

    def entry(self) -> Entry:
        """The entry, as it was handed to the consumer."""
        record = Record(
            *(RecordKind(self.kind), self.component, self.entity, self.number, self.time_ms),
            payload=self.payload,
        )
        position = Position(self.lineage, self.epoch, self.offset)
        return Entry(self.shard, position, self.version, record)


def letter_id(shard: int, consumer: str, offset: int) -> str:
    """Entity id of a dead letter."""
    return pinned_id(shard, f"{consumer}/{offset}")


def consumer_of(letter: str) -> str:
    """The consumer of a dead letter, by its id; "" where it is no such id."""
    shard, _, rest = letter.partition(":")
    consumer, _, offset = rest.rpartition("/")
    sound = all(part.isascii() and part.isdecimal() for part in (shard, offset))
    return consumer if sound else ""


def letter_of(consumer: str, entry: Entry, parked: Parked, now_ms: int) -> DeadLetter:
    """What is kept of an entry on which a consumer has failed for the last time."""
    at, record = entry.position, entry.record
    return DeadLetter(
        *(consumer, entry.shard, at.lineage, at.epoch, at.offset, entry.version),
        *(int(record.kind), record.component, record.entity, record.number, record.time_ms),
        record.payload,
        *(parked.attempts, parked.since_ms, now_ms, parked.failure),
    )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(DeadLetter).decode


def unpack_letter(payload: bytes) -> DeadLetter:
    """The letter of a record, or of a reply to `get`.

    Raises:
        msgspec.DecodeError: it is no such payload.
    """
    return _decode(payload)


def put_order(letter: DeadLetter) -> Message:
    """The message that keeps a letter."""
    return _order(letter.id, PUT, _encode(letter))


def failed_order(letter: str, failure: str) -> Message:
    """The message that counts another attempt that failed."""
    return _order(letter, FAILED, failure.encode())


def drop_order(letter: str) -> Message:
    """The message that forgets a letter."""
    return _order(letter, DROP, b"")


def get_query(letter: str) -> Message:
    """The message that asks for a letter."""
    return Message(MessageKind.QUERY, DEAD_LETTERS, letter, GET, b"", Encoding.MSGPACK)


def _order(letter: str, method: str, payload: bytes) -> Message:
    return Message(MessageKind.COMMAND, DEAD_LETTERS, letter, method, payload, Encoding.MSGPACK)


class Kept(msgspec.Struct, frozen=True):
    """The actor of a letter between two messages; `version` counts its records."""

    entity: str
    letter: DeadLetter | None = None
    number: int = 0
    version: int = 0
    incarnation: int = 0


class DeadLetterBehavior:
    """`Behavior[Kept]`. Idempotency keys never come here."""

    def empty(self, entity: str) -> Kept:
        return Kept(entity)

    def restore(self, entity: str, history: History) -> Kept:
        head = history.head
        letter = unpack_letter(history.records[-1].record.payload) if history.records else None
        return Kept(entity, letter, head.number, head.version, head.incarnation)

    def step(self, instance: Kept, message: Message, now_ms: int) -> Step[Kept]:
        """Handle one message; see the head of this file. Others change nothing."""
        letter = instance.letter
        if message.kind is MessageKind.QUERY:
            return Step(instance, (), Reply(b"" if letter is None else _encode(letter)))
        if message.kind is not MessageKind.COMMAND:
            return Step(instance, (), Reply())
        if message.method == PUT:
            return _stored(instance, unpack_letter(message.payload), now_ms)
        if message.method == FAILED and letter is not None:
            attempts, failure = letter.attempts + 1, message.payload.decode()
            return _stored(
                instance,
                msgspec.structs.replace(
                    letter, attempts=attempts, failed_ms=now_ms, failure=failure
                ),
                now_ms,
            )
        if message.method == DROP and letter is not None:
            record = Record(
                RecordKind.CLEANED, DEAD_LETTERS, instance.entity, instance.number, now_ms
            )
            return Step(Kept(instance.entity), (record,), Reply(_encode(True)), forget=True)
        return Step(instance, (), Reply(_encode(False)))

    def version(self, instance: Kept) -> int:
        return instance.version

    def snapshot(self, instance: Kept) -> Snapshot:
        return Snapshot(instance.incarnation, instance.number, 0, _encode(instance.letter))

    def key_hash(self, message: Message) -> bytes:
        raise AssertionError("dead letters are told without keys")

    def remembered(self, message: Message, reply: bytes) -> Reply:
        raise AssertionError("dead letters are told without keys")


def _stored(instance: Kept, letter: DeadLetter, now_ms: int) -> Step[Kept]:
    """It lies in the store alone: nothing of it stays in memory."""
    kept = Kept(
        instance.entity, letter, instance.number + 1, instance.version + 1, instance.incarnation
    )
    record = Record(
        *(RecordKind.STATE, DEAD_LETTERS, kept.entity, kept.number, now_ms),
        payload=_encode(letter),
    )
    return Step(kept, (record,), Reply(_encode(True)), forget=True)
