"""What a host and a view's process on another node say to each other.

    byte 0       protocol version
    the rest     msgpack of `Said`, or of `Heard`

One method of the process carries all of it, both ways. A call brings what the host has to say, and
returns as soon as there is something to say to it. So at most two calls of a host are under way:
one that waits, and the next one, on which it returns. What is said meanwhile waits, and goes along
in one batch. Calls may overtake one another, therefore both directions are numbered.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_cluster.shardhost.versioned import unpacked

EXCHANGE = "exchange"
PROTOCOL = 1
BATCH_BYTES = 65_536  # below it Ray carries arguments inline
WINDOW_BYTES = 65_536  # of a stream that is on its way or lies at the host, and one element
ELEMENT_BYTES = 64  # of an element beside its payload, about

T = TypeVar("T")


class Asked(msgspec.Struct, frozen=True, array_like=True, tag="a"):
    """A query.

    Attributes:
        id: the host's, in its session.
        stream: it is answered by elements.
        left_ms: of its deadline, 0 for none.
        message: whose own deadline does not count, for clocks differ.
    """

    id: int
    stream: bool
    left_ms: int
    message: Message


class Dropped(msgspec.Struct, frozen=True, array_like=True, tag="d"):
    """Nobody waits for the answer any more."""

    id: int


class More(msgspec.Struct, frozen=True, array_like=True, tag="m"):
    """So many more bytes of a stream may come."""

    id: int
    bytes: int


class Told(msgspec.Struct, frozen=True, array_like=True, tag="t"):
    """The answer to a question of the process's; `number` of the error instead, or ""."""

    id: int
    value: bytes
    number: str = ""


class Said(msgspec.Struct, frozen=True, array_like=True):
    """From a host.

    Attributes:
        session: random; a host begins another one when it has lost one.
        number: of the call in its session, 0 and up, without gaps.
        shards, lineage: of the service.
        frames: in order.
    """

    session: int
    number: int
    shards: int
    lineage: int
    frames: tuple[Asked | Dropped | More | Told, ...]


class Element(msgspec.Struct, frozen=True, array_like=True):
    """An answer, or an element of one; with `last` nothing more comes."""

    id: int
    last: bool
    reply: Reply


class Question(msgspec.Struct, frozen=True, array_like=True):
    """What the process asks the host about the shards of the service."""

    id: int
    method: str
    arguments: bytes


class Heard(msgspec.Struct, frozen=True, array_like=True):
    """From the process.

    Attributes:
        number: in its session, 0 and up, without gaps; -1 says that it has no such session.
        elements, questions: in order.
    """

    number: int
    elements: tuple[Element, ...] = ()
    questions: tuple[Question, ...] = ()


def cost_of(reply: Reply) -> int:
    """Bytes that an element takes of its stream's window."""
    return ELEMENT_BYTES + len(reply.payload)


_said = msgspec.msgpack.Decoder(Said)
_heard = msgspec.msgpack.Decoder(Heard)


def packed(what: Said | Heard) -> bytes:
    """As it travels."""
    return bytes((PROTOCOL,)) + msgspec.msgpack.encode(what)


def said_in(data: bytes) -> Said:
    """What a host has said.

    Raises:
        OtherProtocol: it is of another version.
        msgspec.MsgspecError: it cannot be read.
    """
    return unpacked(data, PROTOCOL, _said)


def heard_in(data: bytes) -> Heard:
    """What the process has said; raises as `said_in`."""
    return unpacked(data, PROTOCOL, _heard)


class InOrder(Generic[T]):
    """Numbered things that overtake one another, in their order; two calls at most are early."""

    def __init__(self) -> None:
        self._next = 0
        self._early: dict[int, T] = {}

    def take(self, number: int, what: T) -> list[T]:
        """What can be handled now that this one has come."""
        self._early[number] = what
        found: list[T] = []
        while self._next in self._early:
            found.append(self._early.pop(self._next))
            self._next += 1
        return found
