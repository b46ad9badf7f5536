"""What the processes of a run say to each other: bytes of these structs, never pickles.

Three roles run in Ray actors of one shape (`process`): the controller, hosts with a store, and the
standby, which is a host without one. What they do is made by a factory that the floors above name.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Literal, NoReturn, Protocol, runtime_checkable

import msgspec

from actorkalix_cluster.rayhost.sockets import Taken

PROTOCOL = 1  # of everything here; hosts of another one are refused

STANDBY = -1  # in place of a store's number


class ProcessSpec(msgspec.Struct, frozen=True):
    """What a process is made from.

    Attributes:
        name: of its actor.
        factory: import name of a `Factory`, as `package.module:function`.
        config: for the factory; this package does not look into it.
        scratch: short folder of this run.
        handover: name of the unix socket where the process gets its sockets.
        ticket: what it shows there to be let in.
        unwanted_paths: entries that Ray puts before site-packages in `sys.path`; the process takes
            them out, lest a user's module shadows one of ours.
        protocol: of whoever made this.
        far: it is on another node than the run; see `far`.
    """

    name: str
    factory: str
    config: bytes
    scratch: str
    handover: str
    ticket: bytes
    unwanted_paths: tuple[str, ...] = ()
    protocol: int = PROTOCOL
    far: bool = False


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """It did what it was called for; `value` is the answer."""

    value: bytes


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """It could not.

    Attributes:
        number: of the error's page, or "" for an exception that has none; then the process has
            logged its stack.
        message: for the user.
    """

    number: str
    message: str


Answer = Answered | Refused


class NotPrepared(Exception):
    """The process imports still; it was found by its name before it could answer."""

    number = "AK3002"


class CallRefused(Exception):
    """A `Refused` on its way up."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.number = refused.number


def value_of(answer: bytes) -> bytes:
    """The value in an `Answer`.

    Raises:
        CallRefused: it has none.
    """
    decoded: Answer = msgspec.msgpack.decode(answer, type=Answered | Refused)
    if isinstance(decoded, Refused):
        raise CallRefused(decoded)
    return decoded.value


HostState = Literal["standby", "starting", "serving", "draining"]


class Beat(msgspec.Struct, frozen=True):
    """A sign of life. It is given on a thread of its own, also while a handler holds the loop.

    Attributes:
        pid: of the process.
        state: what it does.
        store: that it has or is opening, or `STANDBY`.
        incarnation: of that opening.
        time_ms: its clock, milliseconds since 1970.
        held_ms: how long a handler has held the loop by now, 0 when none does.
        held_by: which one.
        blocked: components that it does not serve any more, with the reason.
        node: id of its node, of those that may be on another one than the run's.
    """

    pid: int
    state: HostState = "standby"
    store: int = STANDBY
    incarnation: int = 0
    time_ms: int = 0
    held_ms: int = 0
    held_by: str = ""
    blocked: dict[str, str] = {}
    node: str = ""


class Assignment(msgspec.Struct, frozen=True):
    """A store for a standby; with it, it becomes a host.

    Attributes:
        store: its number.
        incarnation: of this opening; later ones have higher numbers.
        config: for what the factory made.
        blocked: components that other hosts have found blocking.
    """

    store: int
    incarnation: int
    config: bytes
    blocked: dict[str, str] = {}


class Roll(msgspec.Struct, frozen=True):
    """Who has which store open; every host is told of each change.

    Attributes:
        number: later ones have higher numbers.
        open: incarnation by store.
        fenced: stores that nobody opens any more, with the reason.
        homes: the home table, as the floors above have encoded it.
        leaving: stores whose host is being replaced; what is meant for it waits for the next one.
    """

    number: int
    open: dict[int, int]
    fenced: dict[int, str]
    homes: bytes
    leaving: tuple[int, ...] = ()


class Transport(Protocol):
    """The way to a peer; see `shardhost.links`."""

    def send(self, batch: bytes, done: Callable[[Exception | None], object], /) -> None: ...


@runtime_checkable
class CallTransport(Transport, Protocol):
    """A way on which a peer's methods can be called as well; see `Hosted.call`."""

    async def call(self, method: str, arguments: bytes, /) -> bytes:
        """Ask it.

        Raises:
            CallRefused: what it said instead.
            ConnectionError: it ended before it had answered.
        """
        ...


class Hosted(Protocol):
    """What runs in a process: made by its factory, on the process's own event loop."""

    async def call(self, method: str, arguments: bytes) -> bytes:
        """Do what is asked; errors with a `number` are told without stack."""
        ...

    def beat(self) -> Beat:
        """A sign of life; called from another thread, must not wait for anything."""
        ...

    def enroll(self, roll: Roll, ways: dict[int, Transport]) -> None:
        """Take note of who is there; `ways` lead to the other hosts, by store. On the loop."""
        ...

    def take(self, batch: bytes) -> None:
        """A batch of another host. On the loop."""
        ...


Fatal = Callable[[str], NoReturn]
"""Ends the process at once, with the reason on its way to whoever asks why."""

Factory = Callable[[bytes, Taken, Fatal], Hosted]
"""Makes what a process runs.

It is given the process's config, the run's files, and a way to end at once. It imports all that
will be needed, but opens nothing: a standby is made long before it starts.
"""


def factory_named(name: str) -> Factory:
    """Import a factory by its name."""
    module, _, attribute = name.partition(":")
    found: Factory = getattr(importlib.import_module(module), attribute)
    return found
