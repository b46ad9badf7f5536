"""A service whose action runs as Ray tasks: it calls, nests, prints, and says where it is."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace

from actorkalix import Action, Effect, Service, ValueEntity, command, handler, query


@dataclass(frozen=True)
class Note:
    pid: int = 0
    total: int = 0


class Board(ValueEntity[Note], id="board"):
    def empty_state(self) -> Note:
        return Note()

    @command
    def pin(self, pid: int) -> Effect[Note]:
        changed = replace(self.state, pid=pid)
        return self.effects.update_state(changed).then_reply(lambda note: note)

    @command
    def add(self, amount: int) -> Effect[int]:
        changed = replace(self.state, total=self.state.total + amount)
        return self.effects.update_state(changed).then_reply(lambda note: note.total)

    @query
    def note(self) -> Note:
        return self.state


class Errand(Action, id="errand"):
    @handler
    async def pid(self) -> int:
        return os.getpid()

    @handler
    async def add(self, board: str, amount: int) -> int:
        return await self.client.entity(Board, board).add(amount)

    @handler
    def add_plainly(self, board: str, amount: int) -> int:
        print("a handler prints")
        return self.client.entity(Board, board).add(amount).result()

    @handler
    async def nest(self, levels: int) -> int:
        if levels == 0:
            return os.getpid()
        return await self.client.action(Errand).nest(levels - 1)

    @handler
    async def hang(self, board: str) -> None:
        """Says where it is, and never ends."""
        await self.client.entity(Board, board).pin(os.getpid())
        await asyncio.get_running_loop().create_future()

    @handler
    async def made_in(self) -> int:
        made: int = self.resources
        return made


service = Service("errands", components=[Board, Errand], resources=os.getpid)
