"""Calls that are queued durably: who sends one waits for the disk, not for the outcome. Pure.

Theory of operation. A queue is an actor whose records are outgoing messages, as the side effects
of entities are (`RecordKind.OUTBOX`), and the outbox makes them in order. There are `QUEUES` of
them; a target has one, by the hash of its component and entity, so calls to one target are made in
the order in which they were queued. A call with an idempotency key is queued once, and made under
that key.

A queue has no state but its number of records; a snapshot says how far a load reads back, and is
due every `SNAPSHOT_MESSAGES`.
"""

from __future__ import annotations

import msgspec

from actorkalix.errors import InvalidPayload, PayloadTooLarge, UnknownRoute
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.behavior import Step
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.outgoing import pack_messages, unpack_messages
from actorkalix_storage.api import History, Record, RecordKind, Snapshot

from .replies import digest, refusal

SENDING = "~sending"
SEND = "send"
QUEUES = 64
"""As many as hosts and their disks work on side by side; more would only be more to load."""
OUTSIDE = "@"
"""Queues whose ids begin with it hold what is published to topics of brokers outside; no outbox
makes it, but whoever speaks to the broker."""
SNAPSHOT_MESSAGES = 128


class Queue(msgspec.Struct, frozen=True):
    """A queue between two messages.

    Attributes:
        entity: its id.
        version: number of its records.
        incarnation: as every actor has one.
        folded: `version` at the newest snapshot.
    """

    entity: str
    version: int = 0
    incarnation: int = 0
    folded: int = 0


def send_order(message: Message) -> Message:
    """The message that queues a message, and is answered when that is durable."""
    target = (message.component.encode(), message.entity.encode())
    queue = int.from_bytes(digest(*target)[:8], "big") % QUEUES
    key = digest(*target, message.key.encode()).hex() if message.key else ""
    return Message(
        *(MessageKind.COMMAND, SENDING, str(queue), SEND, pack_messages([message])),
        *(Encoding.MSGPACK, message.accept, key),
        correlation_id=message.correlation_id,
        deadline_ms=message.deadline_ms,
        depth=message.depth,
    )


def outside_order(message: Message) -> Message:
    """The message that queues what is published to a topic outside: in a queue of its partition.

    Args:
        message: that would publish it within.
    """
    queued = send_order(message)
    return msgspec.structs.replace(queued, entity=f"{OUTSIDE}{message.entity}")


class SendingBehavior:
    """`Behavior[Queue]` of the component `SENDING`."""

    def __init__(self, limits: Limits) -> None:
        self._bytes_max = limits.command_bytes_max

    def empty(self, entity: str) -> Queue:
        """A queue that nothing was ever put in."""
        return Queue(entity)

    def restore(self, entity: str, history: History) -> Queue:
        """What the head says."""
        head, snapshot = history.head, history.snapshot
        folded = _VERSION.decode(snapshot.payload) if snapshot else 0
        return Queue(entity, head.version, head.incarnation, folded)

    def version(self, instance: Queue) -> int:
        """Number of its records."""
        return instance.version

    def snapshot(self, instance: Queue) -> Snapshot:
        """A place in the log, and nothing else."""
        return Snapshot(instance.incarnation, 0, 0, _ENCODER.encode(instance.version))

    def key_hash(self, message: Message) -> bytes:
        """16 bytes for the key of what is queued."""
        return digest(message.key.encode())

    def remembered(self, message: Message, reply: bytes) -> Reply:
        """It is queued already, or was made."""
        return Reply(replayed=True)

    def step(self, instance: Queue, message: Message, now_ms: int) -> Step[Queue]:
        """Queue a message.

        Raises:
            BehaviorError: it is none, or too large; an unknown method.
        """
        if message.kind in (MessageKind.EXPIRE, MessageKind.CLEAN):
            return Step(instance, (), Reply())
        if message.method != SEND:
            raise refusal(UnknownRoute(f"{SENDING} has no handler {message.method!r}"))
        size = len(message.payload)
        if size > self._bytes_max:
            error = f"a call of {size} bytes, command_bytes_max is {self._bytes_max}"
            raise refusal(PayloadTooLarge(error))
        try:
            unpack_messages(message.payload)
        except msgspec.DecodeError as problem:
            raise refusal(InvalidPayload(f"no call that can be queued: {problem}")) from problem
        version = instance.version + 1
        due = version - instance.folded >= SNAPSHOT_MESSAGES
        folded = version if due else instance.folded
        record = Record(
            *(RecordKind.OUTBOX, SENDING, instance.entity, 0, now_ms, message.payload),
            key=self.key_hash(message) if message.key else b"",
        )
        changed = Queue(instance.entity, version, instance.incarnation, folded)
        return Step(changed, (record,), Reply(), due)


_ENCODER = msgspec.msgpack.Encoder()
_VERSION = msgspec.msgpack.Decoder(int)
