"""What services say to each other of streams: bytes of these structs, with a version.

Who takes a stream asks the controller of the service that offers it, and that asks its hosts, each
for the lanes that it has. A lane is a partition of the stream's topic there.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from actorkalix_cluster.shardhost.feeding import Place

VERSION = 1
READ = "streams.read"
"""Method of controllers, which takes an `Asked`, and of hosts, which takes a `Reading`."""


class Services(Protocol):
    """Ways to the controllers of other services."""

    async def call(self, service: str, method: str, arguments: bytes) -> bytes:
        """Ask the controller of a service.

        Raises:
            Exception: it is not there, or what it said instead.
        """
        ...


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """Messages of a lane beyond a place in the log of its shard.

    Attributes:
        lane: 0 and up.
        begin: behind which place.
    """

    lane: int
    begin: Place


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """The next messages of a stream.

    Attributes:
        version: of all this.
        service: that asks.
        stream: name of the stream.
        wanted: which lanes; none asks how many there are.
    """

    version: int
    service: str
    stream: str
    wanted: tuple[Wanted, ...] = ()


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """What a host is asked for.

    Attributes:
        topic: name of the topic that has the messages.
        wanted: which lanes.
    """

    topic: str
    wanted: tuple[Wanted, ...]


class Offered(msgspec.Struct, frozen=True, array_like=True):
    """A message.

    Attributes:
        number: in its lane.
        place: where it stands.
        time_ms: when it was published.
        payload: as it is stored there: a `TopicMessage`.
    """

    number: int
    place: Place
    time_ms: int
    payload: bytes


class Lane(msgspec.Struct, frozen=True, array_like=True):
    """What was read of a lane.

    Attributes:
        lane: which.
        parted: the log is not the one that led to the place behind which to read: nothing was
            read, `through` is the last place that both have.
        through: all up to there is read.
        newest: number of its last message.
        messages: in order.
    """

    lane: int
    parted: bool
    through: Place
    newest: int
    messages: tuple[Offered, ...] = ()


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """The answer to `Asked`.

    Attributes:
        version: of all this.
        lanes: of the stream.
        read: of the lanes that were wanted.
        away: why others could not be read now, or "".
    """

    version: int
    lanes: int
    read: tuple[Lane, ...] = ()
    away: str = ""
