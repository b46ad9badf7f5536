"""The port through which an actor's code runs in a process of its own, and what is said there.

Theory of operation. An actor kind that is hosted elsewhere (`Elsewhere` around its behavior) keeps
mailbox, idempotency keys, log and commit in its shard's host. The host does not hold its instances:
each live actor has a *place*, which loads its history, runs its handlers and makes its snapshots.
`resident` is what runs there, `residences` are the places that a host has, `away` is what the
driver does with both.

    host                                       place
    Load(history) ------------------------->   restore, instance 0
    <------------------------------ Loaded     its version
    Run(at=0, message) -------------------->   step on instance 0
    <------------------------ Ran(records)     instance 1 is what they lead to
    ... commit; the actor goes on as any other, with a `Shadow` in place of the instance

A shadow names an instance by its number. The place keeps those from the newest that has landed on,
so a command may run on what is not durable yet and a query runs on what is (architecture 6). What
fails, at either side, ends the life of these numbers: the next one begins with a load.

One request of a place is under way at a time. Requests and answers are bytes behind a protocol
version; a place may be another machine's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from actorkalix_cluster.shardhost.behavior import Around, Behavior, Step
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_cluster.shardhost.versioned import unpacked
from actorkalix_storage.api import History, Record, Snapshot

PROTOCOL = 1


class Load(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Begin with this history; None is an id without records."""

    component: str
    entity: str
    history: History | None


class Run(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Handle a message.

    Attributes:
        at: number of the instance that it meets.
        landed: number of the newest instance that is durable: older ones are not asked for.
        message: to handle.
        now_ms: time of the shard.
    """

    at: int
    landed: int
    message: Message
    now_ms: int


class Shoot(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Make the snapshot of an instance for which one was due."""

    at: int


Request = Load | Run | Shoot


class Loaded(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The actor is there, and rests on so many records."""

    version: int


class Ran(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """What a message did; see `Step`. With records, the next number is what they lead to."""

    records: tuple[Record, ...]
    reply: Reply
    version: int
    snapshot_due: bool
    forget: bool


class Refused(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """The behavior refused; nothing changed."""

    reply: Reply


class Raised(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The user's code, or ours, failed; the place has logged it, and holds no instance any more."""

    text: str


class Shot(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """A snapshot, or None: the instance is gone."""

    snapshot: Snapshot | None


Answer = Loaded | Ran | Refused | Raised | Shot


class Shadow(msgspec.Struct, frozen=True):
    """Stands in a host for an instance that is elsewhere.

    Attributes:
        number: of the instance, in this life of the place.
        version: number of records that it rests on.
    """

    number: int
    version: int


class Place(Protocol):
    """Where one actor runs. On the host's loop; nothing is told from inside of a call."""

    def call(self, request: bytes, done: Callable[[bytes], object], /) -> None:
        """Send a request; one at a time. When the place ends, `done` is not called."""
        ...

    def close(self) -> None:
        """End it now, whatever it does. Nothing is told any more."""
        ...


class Places(Protocol):
    """Makes places."""

    def open(
        self,
        component: str,
        entity: str,
        ready: Callable[[], object],
        ended: Callable[[str], object],
        /,
    ) -> Place:
        """Begin to make one.

        Args:
            component, entity: who is to run there.
            ready: is told when it can be called; that may take as long as others need the room.
            ended: is told why it has ended, or could not be made; at most once.
        """
        ...


class Elsewhere(Around[Any]):
    """A behavior whose instances are elsewhere; the host asks it about keys and replies alone.

    Args:
        behavior: of the actor kind.
        places: where its actors run.
        idle_stop_ms: an actor's place ends when it was not used for so long.
        ran: is told of each step with the records as they join the commit; for those that watch.
    """

    def __init__(
        self,
        behavior: Behavior[Any],
        places: Places,
        idle_stop_ms: int,
        ran: Callable[[Message, Step[Any]], object] | None = None,
    ) -> None:
        super().__init__(behavior)
        self.places = places
        self.idle_stop_ms = idle_stop_ms
        self.ran = ran

    def version(self, instance: Shadow) -> int:
        return instance.version

    def empty(self, entity: str) -> Any:
        raise AssertionError("instances of this kind are elsewhere")

    def restore(self, entity: str, history: History) -> Any:
        raise AssertionError("instances of this kind are elsewhere")

    def step(self, instance: Any, message: Message, now_ms: int) -> Step[Any]:
        raise AssertionError("instances of this kind are elsewhere")

    def snapshot(self, instance: Any) -> Snapshot:
        raise AssertionError("instances of this kind are elsewhere")


def packed(said: Request | Answer) -> bytes:
    """A request or an answer as bytes."""
    return _HEAD + _encode(said)


def request_in(data: bytes) -> Request:
    """The request in these bytes.

    Raises:
        OtherProtocol: they are of another version.
    """
    return unpacked(data, PROTOCOL, _request)


def answer_in(data: bytes) -> Answer:
    """The answer in these bytes.

    Raises:
        OtherProtocol: they are of another version.
    """
    return unpacked(data, PROTOCOL, _answer)


_HEAD = bytes((PROTOCOL,))
_encode = msgspec.msgpack.Encoder().encode
_request: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_answer: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)
