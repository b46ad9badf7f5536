"""A request has one body."""
# expect: join takes two streams, left and right; a request has one

from collections.abc import AsyncIterator

from actorkalix import Action, handler


class Join(Action, id="join", runs="inline"):
    @handler  # here
    async def join(self, left: AsyncIterator[int], right: AsyncIterator[int]) -> int:
        return 0
