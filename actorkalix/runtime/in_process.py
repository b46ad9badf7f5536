"""A client's way to a service in its own process: HTTP's bytes without the sockets (ES-05)."""

from __future__ import annotations

import itertools
from datetime import timedelta

from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.errors import UnknownRoute
from actorkalix.failures import error_of
from actorkalix.gateway import tokens
from actorkalix.model.metadata import Metadata
from actorkalix.model.names import check_entity_id, check_idempotency_key
from actorkalix.model.transport import Reply, Request
from actorkalix.ports import Ask, Clock
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind


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
        reply = await self._ask.ask(self._message(request))
        if reply.failure is not None:
            raise error_of(reply.failure)
        codec = codecs_for(descriptor_of(request.component)).replies[request.method]
        value = codec.decode(reply.payload, Encoding.MSGPACK)
        token = b"" if reply.position is None else tokens.token_of(reply.shard, reply.position)
        return Reply(value, token.decode(), Metadata(reply.metadata))

    async def aclose(self) -> None:
        """Nothing is open."""

    def _message(self, request: Request) -> Message:
        descriptor = descriptor_of(request.component)
        handler = descriptor.handlers.get(request.method)
        if handler is None:
            raise UnknownRoute(f"{descriptor.component_id} has no handler {request.method!r}")
        codec = codecs_for(descriptor).arguments[request.method]
        deadline_ms = 0
        if request.timeout is not None:
            timeout_ms = request.timeout // timedelta(milliseconds=1)
            deadline_ms = self._clock.now_ms() + max(1, timeout_ms)
        key = request.idempotency_key
        return Message(
            MessageKind.QUERY if handler.kind == "query" else MessageKind.COMMAND,
            descriptor.component_id,
            check_entity_id(request.entity_id),
            request.method,
            codec.encode(request.args, dict(request.kwargs), Encoding.MSGPACK),
            Encoding.MSGPACK,
            Encoding.MSGPACK,
            "" if key is None else check_idempotency_key(key),
            request.metadata.pairs,
            f"local-{next(self._numbers)}",
            deadline_ms,
        )
