"""A stream that comes in reaches a host's loop alone; what is beside it stands in the query string."""
# expect: upload takes a stream (rows), which reaches no task; write runs="inline" behind the id
# expect: upload takes a stream (rows) as its body, so where comes with the query string, where a dict[str, int] does not fit

from collections.abc import AsyncIterator

from actorkalix import Action, handler


class Upload(Action, id="upload"):
    @handler  # here
    async def upload(self, rows: AsyncIterator[int], where: dict[str, int]) -> int:
        return 0
