"""What the run process and its host say to each other: bytes of these structs, never pickles."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Callable
from typing import NoReturn, Protocol

import msgspec


class HostSpec(msgspec.Struct, frozen=True):
    """What a host is made from.

    Attributes:
        factory: import name of a `Factory`, as `package.module:function`.
        config: for the factory; this package does not look into it.
        scratch: short folder of this run, where `sockets.Handover` listens.
        ticket: what the host shows there to be let in.
        unwanted_paths: entries that Ray puts before site-packages in `sys.path`; the host takes
            them out, lest a user's module shadows one of ours.
    """

    factory: str
    config: bytes
    scratch: str
    ticket: bytes
    unwanted_paths: tuple[str, ...] = ()


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The host serves; `facts` is what its factory wants known."""

    facts: bytes


class NotStarted(msgspec.Struct, frozen=True, tag="not-started"):
    """The host cannot serve, and trying again would not help.

    Attributes:
        number: of the error's page, or "" for an exception that has none; then the host has logged
            its stack.
        message: for the user.
    """

    number: str
    message: str


StartReply = Started | NotStarted


class Hosted(Protocol):
    """What runs in a host. All methods run on the host's own event loop."""

    async def start(self) -> bytes:
        """Serve; returns the facts for `Started`. Errors with a `number` are told without stack."""
        ...

    async def health(self) -> bytes:
        """How it is, for whoever asks; opaque here."""
        ...

    async def stop(self, grace_s: float) -> None:
        """Take no more work, finish what is in flight in `grace_s` seconds, close everything."""
        ...


Fatal = Callable[[str], NoReturn]
"""Ends the host at once, with the reason on its way to whoever asks why."""

Factory = Callable[[bytes, list[socket.socket], Fatal], Hosted]
"""Makes what a host runs.

It is given the host's config, the run's listening sockets in their order, and a way to end at once.
It imports all that will be needed, but opens nothing: a spare host is made long before it starts.
"""


def factory_named(name: str) -> Factory:
    """Import a factory by its name."""
    module, _, attribute = name.partition(":")
    found: Factory = getattr(importlib.import_module(module), attribute)
    return found
