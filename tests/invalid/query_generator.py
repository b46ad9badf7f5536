"""ES-27: a query that is an async generator."""
# expect: watch is a generator; write it as a plain def that returns once

from collections.abc import AsyncIterator

from actorkalix import ValueEntity, query


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @query  # here
    async def watch(self) -> AsyncIterator[int]:
        yield self.state
