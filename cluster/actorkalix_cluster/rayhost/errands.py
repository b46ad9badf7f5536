"""What a host and the workers of its Ray tasks say to each other: bytes of these, never pickles.

host -> worker   `Errand`, the argument of a task, beside the `Crew` that every task is given
worker -> host   `Done`, what the task returns
worker -> host   `Said`, by calls of the host's actor while a task runs: what the work asks of
                 the service, and answers of a batch that takes longer than it was thought
host -> worker   `Heard`, what such a call returns: answers to what was asked
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from actorkalix_cluster.rayhost.actors import Making

T = TypeVar("T")

PROTOCOL = 1  # of everything here

METHOD = "tasks"
"""Of hosts, with which workers say things."""


class Crew(msgspec.Struct, frozen=True):
    """Whom a worker works for, and what it is made from. Workers keep what they make from it.

    Attributes:
        factory: import name of a `Factory`, as `package.module:function`.
        config: for the factory.
        making: see there; workers belong to the run as its other processes do.
        protocol: of whoever made this.
    """

    factory: str
    config: bytes
    making: Making
    protocol: int = PROTOCOL


class Errand(msgspec.Struct, frozen=True, array_like=True):
    """What a task is to do, one after the other.

    Attributes:
        actor: name of the host's actor, which is told and asked.
        batch: its number, of this host.
        slip: the file in which the worker notes what it starts.
        works: for the work, in order; none to have a worker ready.
    """

    actor: str
    batch: int
    slip: str
    works: tuple[bytes, ...]


class Result(msgspec.Struct, frozen=True, array_like=True):
    """What one work gave.

    Attributes:
        place: of the work in its errand.
        took_us: microseconds.
        value: the answer; None when it was interrupted because nobody waits for it any more.
    """

    place: int
    took_us: int
    value: bytes | None


class Done(msgspec.Struct, frozen=True, array_like=True):
    """The errand is over.

    Attributes:
        results: all of them, also those that were said before.
        refused: nothing was started, for this reason; "" where something was.
    """

    results: tuple[Result, ...] = ()
    refused: str = ""


class Question(msgspec.Struct, frozen=True, array_like=True):
    """Something that the work asks of the service; numbered by the worker."""

    id: int
    text: bytes


class Said(msgspec.Struct, frozen=True, array_like=True):
    """What a worker says while it runs an errand.

    Attributes:
        batch: the errand's.
        questions: new ones.
        results: answers that need not wait for the rest.
        left: from this place on nothing is started there any more; None where everything will be.
        waits: it listens for answers; the call returns when there are some.
    """

    batch: int
    questions: tuple[Question, ...] = ()
    results: tuple[Result, ...] = ()
    left: int | None = None
    waits: bool = False


class Heard(msgspec.Struct, frozen=True, array_like=True):
    """Answers to questions, by their numbers."""

    answers: tuple[tuple[int, bytes], ...] = ()


class HostGone(Exception):
    """The host that sent the task has ended; what was asked of it may have been done."""


class Around(Protocol):
    """What a work finds around it in its worker; used on the worker's loop."""

    async def ask(self, text: bytes, /) -> bytes:
        """Ask the service something.

        Cancellation: the question was sent, and is answered to nobody.

        Raises:
            HostGone: see there.
            RuntimeError: no work runs.
        """
        ...

    async def on_main(self, fn: Callable[[], T], /) -> T:
        """Call a function on the main thread, where it may block; one at a time.

        Cancellation: the function runs to its end.
        """
        ...


class Work(Protocol):
    """What runs in the worker."""

    async def do(self, work: bytes, /) -> bytes:
        """Do one thing; on the worker's loop, one at a time.

        Cancellation: nobody waits for the answer any more.
        """
        ...


Factory = Callable[[bytes, Around], Work]
"""Makes what a worker runs, once in its process, on its main thread."""


def factory_named(name: str) -> Factory:
    """Import a factory by its name."""
    module, _, attribute = name.partition(":")
    found: Factory = getattr(importlib.import_module(module), attribute)
    return found
