"""Queries of views: from a message to an answer, a stream, or a stream of updates.

A runner of the dispatch, as actions have theirs. A small query is answered in the very call in
which it is asked (`begin`); where it waits for a change (`Message.after`), or is too much for the
loop, it is a task. Results are JSON already, which HTTP hands on as it is. While a host has just
begun (`PATIENCE_MS`), a query waits for the view's file instead of saying that there is none: the
view's process takes some seconds to start.

Every answer carries a token: "heads at this time". That is more than the view has passed, so
whoever brings it back, to this view or to another, sees nothing older than here.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.codec.arguments import ArgumentCodec
from actorkalix.codec.replies import ReplyCodec
from actorkalix.describe.descriptors import ComponentDescriptor, QueryDescriptor
from actorkalix.engine.action import Elements
from actorkalix.errors import (
    ActorkalixError,
    QueryTooLarge,
    RowNotFound,
    UnknownRoute,
    ViewIncomplete,
)
from actorkalix.failures import failure_of
from actorkalix.gateway import tokens
from actorkalix.limits import Limits
from actorkalix.runtime.until import Until
from actorkalix.runtime.view_waits import Waits
from actorkalix.views.reading import Read, ReaderPool, TooMuch
from actorkalix.views.standing import here
from actorkalix.views.updates import Changing, Element, Here, Page, updates
from actorkalix.views.watching import Watcher
from actorkalix.viewsql.answers import Answer
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.messages import Encoding, Message, Reply

log = logging.getLogger("actorkalix.views")


PATIENCE_MS = 15_000
LOOK_MS = 50


class Asked:
    """A query, and its codecs.

    Args:
        query: its descriptor.
        arguments, replies: of its method.
    """

    def __init__(
        self, query: QueryDescriptor, arguments: ArgumentCodec, replies: ReplyCodec
    ) -> None:
        self.name = query.name
        self.query = query
        self.answer = Answer(query.query)
        self.snapshot = len(query.query.sqlite) > 1
        self._arguments = arguments
        self._replies = replies
        self._names = tuple(one.name for one in query.handler.parameters)

    def given(self, message: Message) -> Mapping[str, Any]:
        """Values by the names that the SQL has.

        Raises:
            InvalidPayload: names what is wrong.
        """
        args, kwargs = self._arguments.decode(message.payload, message.encoding)
        by_name = {**dict(zip(self._names, args, strict=False)), **kwargs}
        return self.query.placeholders(by_name)

    def encoded(self, text: bytes, accept: Encoding) -> bytes:
        """A result, or an element of one, as it was asked for."""
        if accept is Encoding.JSON:
            return text
        return self._replies.encode(self.answer.decode(text), accept)

    def answered(
        self, read: Read, arguments: Mapping[str, Any], accept: Encoding, rows_max: int
    ) -> bytes:
        """The whole answer.

        Raises:
            RowNotFound: there is none, and there should be.
            InvalidPayload, QueryTooLarge: as they say.
        """
        found = self.answer.json(read, arguments, rows_max)
        if found is not None:
            return self.encoded(found, accept)
        if not self.query.query.optional:
            raise RowNotFound(f"{self.name} found no row")
        return b"null" if accept is Encoding.JSON else self._replies.encode(None, accept)


class ViewRunner:
    """Answers the queries of one view.

    Args:
        view: its descriptor.
        pool: reads its file.
        watcher: says when that has changed.
        waits: for what callers have seen.
        clock: whose time deadlines are in.
        limits: of the service.

    Attributes:
        failed: queries that were not answered with a value, by the number of the error.
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
        self._queries = {
            name: Asked(query, codecs.arguments[name], codecs.replies[name])
            for name, query in view.view.queries.items()
        }
        self._pool = pool
        self._watcher = watcher
        self._waits = waits
        self._clock = clock
        self._timeout_ms = limits.view_query_timeout // timedelta(milliseconds=1)
        self._rows_max = limits.view_rows_max
        self._bytes_max = limits.payload_bytes_max
        self._token = (0, b"")
        self._patient_until_ms = clock.now_ms() + PATIENCE_MS
        self.failed: dict[str, int] = {}

    # ---- answers ------------------------------------------------------------------------------
    def begin(self, message: Message) -> Reply | None:
        """The answer, if it is a small one; None when it takes a task."""
        if message.after:
            return None
        try:
            return self._at_once(message)
        except TooMuch:
            return None
        except ActorkalixError as error:
            if isinstance(error, ViewIncomplete) and self._clock.now_ms() < self._patient_until_ms:
                return None
            return self._refused(error)

    async def run(self, message: Message, elements: Elements | None = None, /) -> Reply:
        """The answer.

        Cancellation: what runs on a thread runs on to its deadline, for nobody.
        """
        try:
            await self._there(message)
            if message.after:
                await self._waits.until(message.after, message.deadline_ms)
            try:
                return self._at_once(message)
            except TooMuch:
                asked = self._asked(message)
                return await self._pool.aside(
                    self._work(asked, message),
                    timeout_s=self._left_s(message),
                    snapshot=asked.snapshot,
                )
        except ActorkalixError as error:
            return self._refused(error)

    async def _there(self, message: Message) -> None:
        """Return when the view has a file, or it is not worth waiting for."""
        now_ms = self._clock.now_ms()
        left_ms = self._patient_until_ms - now_ms
        if left_ms <= 0 or self._is_there():
            return
        left_ms = min(left_ms, int(self._left_s(message) * 1000) - LOOK_MS)
        with suppress(TimeoutError), Until(self._clock, max(0, left_ms)):
            while not self._is_there():
                await self._watcher.beyond(self._watcher.look())

    def _is_there(self) -> bool:
        try:
            self._pool.reader()
        except ViewIncomplete:
            return False
        return True

    def _at_once(self, message: Message) -> Reply:
        asked = self._asked(message)
        return self._pool.at_once(asked.name, self._work(asked, message), snapshot=asked.snapshot)

    def _asked(self, message: Message) -> Asked:
        asked = self._queries.get(message.method)
        if asked is None:
            raise UnknownRoute(f"{self._id} has no query {message.method!r}")
        return asked

    def _work(self, asked: Asked, message: Message) -> Callable[[Read], Reply]:
        arguments, accept = asked.given(message), message.accept

        def work(read: Read) -> Reply:
            payload = asked.answered(read, arguments, accept, self._rows_max)
            if len(payload) > self._bytes_max:
                raise QueryTooLarge(
                    f"the answer of {self._id}.{asked.name} has {len(payload):,} bytes, the limit "
                    f"payload_bytes_max is {self._bytes_max:,}: give it a LIMIT, page or stream it"
                )
            return Reply(payload, token=self._now())

        return work

    def _left_s(self, message: Message) -> float:
        left_ms = self._timeout_ms
        if message.deadline_ms:
            left_ms = min(left_ms, message.deadline_ms - self._clock.now_ms())
        return max(0, left_ms) / 1000

    def _now(self) -> bytes:
        """The token of an answer that is read by now."""
        now_ms = self._clock.now_ms()
        known_ms, token = self._token
        if known_ms != now_ms:
            token = tokens.encode(tokens.Token(now_ms))
            self._token = (now_ms, token)
        return token

    def _refused(self, error: ActorkalixError) -> Reply:
        self.failed[error.number] = self.failed.get(error.number, 0) + 1
        return Reply(failure=failure_of(error))

    # ---- streams ------------------------------------------------------------------------------
    async def stream(
        self, message: Message, elements: Elements | None = None, /
    ) -> AsyncGenerator[Reply]:
        """The elements of an answer; a failure is the last."""
        try:
            asked = self._asked(message)
            await self._there(message)
            if message.after:
                await self._waits.until(message.after, message.deadline_ms)
            replies = (
                self._updates(asked, message)
                if asked.query.stream_updates
                else self._pages(asked, message)
            )
            async with aclosing(replies):
                async for reply in replies:
                    yield reply
        except ActorkalixError as error:
            yield self._refused(error)
        except Exception:
            log.exception("a bug of actorkalix, correlation id %s", message.correlation_id)
            yield Reply(failure=failures.bug(message.correlation_id))

    async def _pages(self, asked: Asked, message: Message) -> AsyncGenerator[Reply]:
        reading: list[Read] = []  # of the page that is read now
        pages = asked.answer.pages(
            lambda sql, values: reading[-1](sql, values), asked.given(message), self._rows_max
        )

        def page(read: Read) -> list[bytes] | None:
            reading[:] = [read]
            return _next(pages)

        while (
            found := await self._pool.aside(page, timeout_s=self._timeout_ms / 1000)
        ) is not None:
            for text in found:
                yield Reply(asked.encoded(text, message.accept), token=self._now())

    async def _updates(self, asked: Asked, message: Message) -> AsyncGenerator[Reply]:
        query = asked.query.query
        [table] = query.tables
        changing = Changing(table, query.changes, query.bind(asked.given(message)))

        async def read(work: Callable[[Read], Page]) -> Page:
            return await self._pool.aside(work, timeout_s=self._timeout_ms / 1000, snapshot=True)

        elements = updates(
            changing,
            message.resume,
            where=self._here,
            read=read,
            look=self._watcher.look,
            beyond=self._watcher.beyond,
        )
        async with aclosing(elements):
            async for element, mark in elements:
                yield self._told(asked, message.accept, element, mark)

    def _told(self, asked: Asked, accept: Encoding, element: Element, mark: str) -> Reply:
        if element.kind == "row":
            text = asked.answer.change(("", 0, 1, *element.columns))
            return Reply(asked.encoded(text, accept), mark=mark, token=self._now())
        payload = msgspec.json.encode({"subject": element.subject} if element.subject else {})
        return Reply(payload, event=element.kind, mark=mark)

    def _here(self) -> Here:
        return self._pool.at_once("~here", here)


def _next(pages: Iterator[list[bytes]]) -> list[bytes] | None:
    return next(pages, None)
