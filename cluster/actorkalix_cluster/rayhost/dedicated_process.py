"""A process of its own for one actor: a Ray actor that answers one host's requests.

Its methods run on the main thread, one after the other, where libraries expect to be. It belongs to
the run as workers do, and ends with the host that it answers: Ray ends an actor whose owner has
gone, but takes its time, and what a dead host has left would hold resources that the next one
needs. On another node than the host's, Ray alone does it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from actorkalix_cluster.rayhost.actors import Making
from actorkalix_cluster.rayhost.entering import enter
from actorkalix_cluster.rayhost.launch import module
from actorkalix_cluster.rayhost.process import die_with, told

PROTOCOL = 1  # of `DedicatedSpec` and `Begun`

Answers = Callable[[bytes], bytes]
"""Answers a request; raises nothing."""


class DedicatedSpec(msgspec.Struct, frozen=True):
    """What a process is made from.

    Attributes:
        factory: import name of what makes `Answers` of `config`, as `package.module:function`.
        config: for the factory.
        making: of the run.
        node: id of the host's node.
        host: process id of the host there.
        protocol: of whoever made this.
    """

    factory: str
    config: bytes
    making: Making
    node: str
    host: int
    protocol: int = PROTOCOL


class Begun(msgspec.Struct, frozen=True):
    """A process can be asked.

    Attributes:
        node: that it is on.
        pid: its id there.
    """

    node: str
    pid: int


class DedicatedProcess:
    """The Ray actor; see the module.

    Args:
        spec: a `DedicatedSpec` in msgpack.
    """

    def __init__(self, spec: bytes) -> None:
        self._spec = msgspec.msgpack.decode(spec, type=DedicatedSpec)
        self._answers: Answers | None = None

    def begin(self) -> bytes:
        """Import what is needed; an `Answer` with `Begun`, or why that is not possible."""
        return told(lambda: msgspec.msgpack.encode(self._begin()))

    def here(self) -> bytes:
        """Nothing, from a process that lives: its id is not another's by now."""
        return b""

    def ask(self, request: bytes) -> bytes:
        """The answer to a request."""
        assert self._answers is not None, "begin comes first"
        return self._answers(request)

    def _begin(self) -> Begun:
        spec = self._spec
        if spec.protocol != PROTOCOL:
            raise RuntimeError(f"protocol {spec.protocol} of the host, {PROTOCOL} of this process")
        context: Any = module("ray").get_runtime_context()
        node = str(context.get_node_id())
        if node == spec.node:
            # A host that has ended by now cannot have heard of us: Ray ends us then.
            with contextlib.suppress(ProcessLookupError):
                host = os.pidfd_open(spec.host)
                threading.Thread(
                    target=die_with, args=(host,), name="host-watch", daemon=True
                ).start()
            enter(spec.making, "dedicated")
        else:  # the run's folder and socket are not there
            unwanted = spec.making.unwanted_paths
            sys.path[:] = [path for path in sys.path if path not in unwanted]
        self._answers = factory_named(spec.factory)(spec.config)
        return Begun(node, os.getpid())


def factory_named(name: str) -> Callable[[bytes], Answers]:
    """Import a factory by its name."""
    package, _, attribute = name.partition(":")
    found: Callable[[bytes], Answers] = getattr(importlib.import_module(package), attribute)
    return found
