"""A client's way to a service in its own process: HTTP's bytes without the sockets (ES-05)."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import Any, Protocol

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.engine.requests import caused_by, message_of, without_elements
from actorkalix.engine.sending import send_order
from actorkalix.errors import NotInThisVersion
from actorkalix.failures import error_of
from actorkalix.gateway import tokens
from actorkalix.model.metadata import Metadata
from actorkalix.model.transport import Reply, Request, Update, update_of
from actorkalix.ports import Ask, AskStreams, Clock
from actorkalix_cluster.shardhost.asked import Asked
from actorkalix_cluster.shardhost.messages import Encoding, Message
from actorkalix_cluster.shardhost.messages import Reply as Answer
from actorkalix_cluster.shardhost.ticket import Tell, Ticket


class Sending(Protocol):
    """A host."""

    def send(self, message: Message, /) -> Ticket: ...


class LoneHost:
    """Asks one host that has all shards; in place of a router, and it ends no waits.

    Args:
        host: the host.
    """

    def __init__(self, host: Sending) -> None:
        self._host = host

    async def ask(self, message: Message, /) -> Answer:
        """Send a message and wait for its answer."""
        return await self._host.send(message).wait()

    def begin(self, message: Message, tell: Tell, /) -> Answer | Asked:
        """Send a message: its answer where it is there at once, else `tell` gets it."""
        ticket = self._host.send(message)
        if ticket.reply is not None:
            return ticket.reply
        asked = Asked(tell)
        asked.ticket = ticket
        ticket.then(asked.tell)
        return asked

    def drop(self, asked: Asked, /) -> None:
        """Nobody waits any more."""
        asked.forget()
        if asked.ticket is not None:
            asked.ticket.drop()


class HostTransport:
    """Carries requests to whoever answers messages here; a client's `Transport`.

    Args:
        ask: a router or a host.
        clock: whose time deadlines are in.
    """

    def __init__(self, ask: Ask, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._numbers = itertools.count(1)

    async def send(self, request: Request, /) -> Reply[object]:
        """Send a request and wait for its reply.

        Raises:
            CommandError: the handler refused, with its own class where it has one.
            ActorkalixError: anything else.
        """
        request, elements = without_elements(request)
        if request.queued:
            return await self._queued(request, elements)
        if elements is None:
            reply = await self._ask.ask(self._message(request))
        else:
            asked = self._streaming(request)
            reply = await asked.ask(self._message(request), encoded(request, elements))
        return _decoded(request, reply)

    async def _queued(self, request: Request, elements: object) -> Reply[object]:
        if elements is not None:
            raise NotInThisVersion(f"{request.method}: a call with a stream cannot be queued")
        reply = await self._ask.ask(send_order(self._message(request)))
        if reply.failure is not None:
            raise error_of(reply.failure)
        return Reply(None)

    async def stream(self, request: Request, /) -> AsyncGenerator[object]:
        """Send a request and give the elements of its answer.

        Raises:
            CommandError, ActorkalixError: as for `send`.
        """
        request, given = without_elements(request)
        elements = None if given is None else encoded(request, given)
        replies = self._streaming(request).stream(self._message(request), elements)
        async with aclosing(replies):
            async for reply in replies:
                if request.updates:
                    yield _update(request, reply)
                elif not reply.event:
                    yield _decoded(request, reply).value

    def _streaming(self, request: Request) -> AskStreams:
        if isinstance(self._ask, AskStreams):
            return self._ask
        raise NotInThisVersion(f"{request.method}: streams are not asked for from here")

    async def aclose(self) -> None:
        """Nothing is open."""

    def _message(self, request: Request) -> Message:
        number = f"local-{next(self._numbers)}"
        return message_of(request, now_ms=self._clock.now_ms(), correlation_id=number)


async def encoded(request: Request, elements: AsyncIterable[Any]) -> AsyncGenerator[bytes]:
    """The elements of the stream that a call's handler takes, in MessagePack."""
    codec = codecs_for(descriptor_of(request.component)).elements[request.method]
    async for element in elements:
        yield codec.encode(element, Encoding.MSGPACK)


def _decoded(request: Request, reply: Answer) -> Reply[object]:
    if reply.failure is not None:
        raise error_of(reply.failure)
    codec = codecs_for(descriptor_of(request.component)).replies[request.method]
    value = codec.decode(reply.payload, Encoding.MSGPACK)
    token = reply.token
    if reply.position is not None:
        token = tokens.token_of(reply.shard, reply.position)
    return Reply(value, token.decode(), Metadata(reply.metadata))


def _update(request: Request, reply: Answer) -> Update[Any]:
    if not reply.event:
        return Update("row", _decoded(request, reply).value, mark=reply.mark)
    return update_of(reply.event, reply.payload, reply.mark)


class HandlerTransport(HostTransport):
    """Carries the calls that the handler of a message makes.

    A call without a timeout waits as long as what is left of the message's time; one to an entity
    at most `ask_timeout_ms`.

    Args:
        ask: answers messages.
        clock: whose time deadlines are in.
        cause: the message.
        ask_timeout_ms: of the service.
    """

    def __init__(self, ask: Ask, clock: Clock, cause: Message, ask_timeout_ms: int) -> None:
        super().__init__(ask, clock)
        self._cause = cause
        self._ask_timeout_ms = ask_timeout_ms

    def _message(self, request: Request) -> Message:
        now_ms = self._clock.now_ms()
        message = caused_by(self._cause, request, now_ms=now_ms)
        if request.timeout is None:
            return in_time(message, now_ms + self._ask_timeout_ms)
        return message


def in_time(message: Message, until_ms: int) -> Message:
    """The message, which has to be answered by then, if it is for an entity."""
    if not message.entity or 0 < message.deadline_ms <= until_ms:
        return message
    return msgspec.structs.replace(message, deadline_ms=until_ms)
