"""Queries of views: from a message to an answer, a stream, or a stream of updates.

A runner of the dispatch, as actions have theirs. A small query is answered in the very call in
which it is asked (`begin`); where it waits for a change (`Message.after`), or is too much for the
loop, it is a task. The JSON of a row that is the whole answer is handed on as it lies in the file.

Every answer carries a token: "heads at this time". That is more than the view has passed, so
whoever brings it back, to this view or to another, sees nothing older than here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from actorkalix.codec.arguments import ArgumentCodec
from actorkalix.codec.replies import ReplyCodec
from actorkalix.describe.descriptors import QueryDescriptor
from actorkalix.sql.answers import Answer
from actorkalix_cluster.shardhost.messages import Message

_MS = timedelta(milliseconds=1)


class _Asked:
    """A query and its codecs."""

    __slots__ = ("answer", "arguments", "names", "query", "replies", "snapshot")

    def __init__(
        self, query: QueryDescriptor, arguments: ArgumentCodec, replies: ReplyCodec
    ) -> None:
        self.query = query
        self.arguments = arguments
        self.replies = replies
        self.answer = Answer(query.query)
        self.names = tuple(one.name for one in query.handler.parameters)
        self.snapshot = len(query.query.sqlite) > 1

    def given(self, message: Message) -> dict[str, Any]:
        """The arguments by name."""
        args, kwargs = self.arguments.decode(message.payload, message.encoding)
        return {**dict(zip(self.names, args, strict=False)), **kwargs}


class ViewRunner:
    """Answers the queries of one view.

    Args:
        view: its descriptor.
        pool: reads its file.
        watcher: says when that has changed.
        waits: for what callers have seen.
        clock: whose time deadlines are in.
        limits: of the service.
    """

    def __init__(
        self,
        view: ComponentDescriptor,
        pool: ReaderPool,
        watcher: Watcher,
        waits: Waits,
        clock: Clock,
        limits: Limits,
    ) -> None:
        assert view.view is not None, "the component is a view"
        codecs = codecs_for(view)
        self._id = view.component_id
        self._asked = {
            name: _Asked(query, codecs.arguments[name], codecs.replies[name])
            for name, query in view.view.queries.items()
        }
        self._pool = pool
        self._watcher = watcher
        self._waits = waits
        self._clock = clock
        self._timeout_s = limits.view_query_timeout.total_seconds()
        self._rows_max = limits.view_rows_max
        self._bytes_max = limits.payload_bytes_max
        self._token = (0, b"")
        self.errors = 0

    # ---- answers ------------------------------------------------------------------------------
    def begin(self, message: Message) -> Reply | None:
        """The answer, if it is a small one; None when it takes a task."""
        if message.after:
            return None
        try:
            asked = self._query(message)
            work = self._work(asked, message)
            return self._pool.at_once(message.method, work, snapshot=asked.snapshot)
        except TooMuch:
            return None
        except ActorkalixError as error:
            return self._failed(error)

    async def run(self, message: Message, elements: Elements | None = None, /) -> Reply:
        """The answer.

        Cancellation: what runs on a thread runs on to its deadline, for nobody.
        """
        try:
            asked = self._query(message)
            if message.after:
                await self._waits.until(message.after, message.deadline_ms)
            work = self._work(asked, message)
            try:
                return self._pool.at_once(message.method, work, snapshot=asked.snapshot)
            except TooMuch:
                return await self._pool.aside(
                    work, timeout_s=self._time_left_s(message), snapshot=asked.snapshot
                )
        except ActorkalixError as error:
            return self._failed(error)

    def _work(self, asked: _Asked, message: Message) -> Callable[[Read], Reply]:
        arguments = asked.given(message)

        def work(read: Read) -> Reply:
            token = self._now()  # before it reads: it claims no less than it has
            payload = asked.answered(read, arguments, message.accept, self._rows_max)
            if len(payload) > self._bytes_max:
                raise QueryTooLarge(
                    f"{self._id}.{message.method} has {len(payload):,} bytes, the limit "
                    f"payload_bytes_max is {self._bytes_max:,}: give it a LIMIT, page or stream it"
                )
            return Reply(payload, token=token)

        return work
