"""A service whose handlers do what no handler should, each in its own way."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from typing import NoReturn

from actorkalix import Effect, EventSourcedEntity, Service, ValueEntity, command, query

print("printed while it is imported")


@dataclass(frozen=True)
class Grew:
    text: str = ""
    harm: bool = False


class Odd(EventSourcedEntity[int, Grew], id="odd"):
    def empty_state(self) -> int:
        return 0

    @command
    def grow(self, text: str = "") -> Effect[int]:
        return self.effects.persist(Grew(text)).then_reply(lambda count: count)

    @command
    def swell(self, size: int) -> Effect[int]:
        return self.effects.persist(Grew("x" * size)).then_reply(lambda count: count)

    @command
    def leave(self) -> Effect[int]:
        sys.exit(3)

    @command
    def cancel(self) -> Effect[int]:
        raise asyncio.CancelledError

    @command
    def end(self) -> Effect[int]:
        raise GeneratorExit

    @command
    def leave_in_reply(self) -> Effect[int]:
        return self.effects.persist(Grew()).then_reply(lambda count: _leave())

    @command
    def leave_in_event(self) -> Effect[int]:
        return self.effects.persist(Grew(harm=True)).then_reply(lambda count: count)

    @command
    def recurse(self) -> Effect[int]:
        return self.recurse()

    @command
    def remember_too_much(self) -> Effect[int]:
        raise MemoryError

    @command
    def die(self) -> Effect[int]:
        os._exit(9)

    @command
    def hang(self) -> Effect[int]:
        while True:
            time.sleep(3600)

    @query
    def count(self) -> int:
        return self.state

    @query
    def leave_in_query(self) -> int:
        return _leave()

    def apply_event(self, state: int, event: Grew) -> int:
        return _leave() if event.harm else state + 1


class Unmade(ValueEntity[int], id="unmade"):
    def empty_state(self) -> int:
        return _leave()

    @command
    def put(self) -> Effect[int]:
        return self.effects.update_state(1).then_reply(lambda state: state)


def _leave() -> NoReturn:
    sys.exit("a program would end here")


service = Service("odd", components=[Odd, Unmade])
