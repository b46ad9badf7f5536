"""An entity whose handlers wait, in all the ways that development mode forbids."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

from actorkalix import Effect, EventSourcedEntity, command, query


@dataclass(frozen=True)
class Waits:
    count: int = 0


@dataclass(frozen=True)
class Waited:
    how: str


def wait(how: str) -> None:
    """Begin to wait; nothing here takes any time."""
    match how:
        case "sleep":
            time.sleep(0)
        case "socket":
            socket.socket().close()
        case "connect":
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", 9))
        case "name":
            socket.getaddrinfo("localhost", 80)
        case "process":
            subprocess.run(["true"], check=True)
        case "shell":
            sys.audit("os.system", b"true")  # all that matters of it here
        case _:
            return


class Impatient(EventSourcedEntity[Waits, Waited], id="impatient", snapshot_every=0):
    def empty_state(self) -> Waits:
        if self.entity_id == "waits at its begin":
            wait("sleep")
        return Waits()

    @command
    def wait(self, how: str) -> Effect[int]:
        wait(how)
        return self.effects.persist(Waited("")).then_reply(lambda state: state.count)

    @command
    def wait_when_applied(self, how: str) -> Effect[int]:
        return self.effects.persist(Waited(how)).then_reply(lambda state: state.count)

    @command
    def swallow(self) -> Effect[int]:
        with contextlib.suppress(Exception):
            wait("sleep")
        return self.effects.persist(Waited("")).then_reply(lambda state: state.count)

    @query
    def ask(self) -> int:
        wait("sleep")
        return self.state.count

    @query
    def count(self) -> int:
        return self.state.count

    def apply_event(self, state: Waits, event: Waited) -> Waits:
        wait(event.how)
        return Waits(state.count + 1)
