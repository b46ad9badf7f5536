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
