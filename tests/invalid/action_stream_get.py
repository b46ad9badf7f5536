"""A GET has no body that could be a stream."""
# expect: @http.get("/rows"): rows is a stream, and a GET has no body; use @http.post

from collections.abc import AsyncIterator

from actorkalix import Action, http


class Upload(Action, id="upload", runs="inline"):
    @http.get("/rows")  # here
    async def upload(self, rows: AsyncIterator[int]) -> int:
        return 0
