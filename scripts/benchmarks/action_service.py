"""The service under the benchmarks of actions: as Ray tasks, and inline."""

from __future__ import annotations

from actorkalix import Action, Service, handler

from .service import Counter


class Tasks(Action, id="tasks"):
    @handler
    async def same(self, amount: int) -> int:
        return amount


class Inline(Action, id="inline", runs="inline"):
    @handler
    async def same(self, amount: int) -> int:
        return amount


service = Service("bench", components=[Counter, Tasks, Inline])
