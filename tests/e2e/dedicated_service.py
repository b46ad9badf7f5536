"""Entities with processes of their own, and handlers that do to them what handlers should not."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from datetime import timedelta

from actorkalix import (
    Dedicated,
    Effect,
    EventSourcedEntity,
    Limits,
    Service,
    ValueEntity,
    command,
    query,
)


@dataclass(frozen=True)
class Noted:
    """A command that was handled."""

    number: int


class Book(
    EventSourcedEntity[tuple[int, ...], Noted],
    id="book",
    snapshot_every=10,
    hosting=Dedicated(num_cpus=0, idle_stop=timedelta(seconds=3)),
):
    """Keeps all that was noted, in order."""

    def empty_state(self) -> tuple[int, ...]:
        return ()

    def apply_event(self, state: tuple[int, ...], event: Noted) -> tuple[int, ...]:
        return (*state, event.number)

    @command
    def note(self, number: int) -> Effect[int]:
        return self.effects.persist(Noted(number)).then_reply(len)

    @command
    def process(self) -> Effect[int]:
        return self.effects.reply(os.getpid())

    @command
    def misbehave(self, how: str) -> Effect[None]:
        match how:
            case "raise":
                raise ValueError("as it was asked to")
            case "exit":
                sys.exit(3)
            case "end":
                os._exit(3)
            case _:
                threading.Event().wait()
        return self.effects.reply(None)

    @query
    def all(self) -> tuple[int, ...]:
        return self.state


class Large(ValueEntity[str], id="large", hosting=Dedicated(num_cpus=0)):
    """A state of many megabytes."""

    def empty_state(self) -> str:
        return ""

    @command
    def fill(self, size: int) -> Effect[None]:
        return self.effects.update_state("x" * size).then_reply(None)

    @query
    def size(self) -> int:
        return len(self.state)


class Greedy(ValueEntity[int], id="greedy", hosting=Dedicated(num_gpus=64)):
    """Asks for more than there is."""

    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state


service = Service(
    "dedicated",
    components=[Book, Large, Greedy],
    limits=Limits(handler_hang=timedelta(seconds=3)),
)
