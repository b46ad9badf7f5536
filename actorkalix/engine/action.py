"""Actions: from a message to its reply, through a handler that may wait.

Theory of operation. Each message gets a fresh object of the user's class (AC-01), which shows what
`Live` holds until the handler has ended; a handler's awaits see it too, for nobody else has that
object. The arguments are decoded from bytes and the reply leaves as bytes, wherever it runs: on the
loop of a host, in a Ray task, in a test kit.

What a handler raises becomes a failure, never an exception of `run`:

    CommandError                    as it is: its code, details and class
    what became of a call           as it is; nobody knows what the handler had done before, so
                                      where sending again may help, the outcome is "unknown"
    a rule that the handler broke   as it is, reported, with the correlation id; "unknown"
    anything else                   "unexpected error" with the correlation id, reported (AC-07);
                                      "unknown", for what it had done before it failed stands

A cancelled handler is cancelled: who cancels it has gone away, or answers himself.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.describe.descriptors import (
    ChangeHandler,
    ComponentDescriptor,
    HandlerDescriptor,
)
from actorkalix.errors import (
    ActorkalixError,
    CallsTooDeep,
    CommandError,
    EntityDeleted,
    HandlerFailed,
    IdempotencyKeyReused,
    InvalidEffect,
    InvalidEntityId,
    InvalidIdempotencyKey,
    InvalidPayload,
    InvalidTimer,
    NotEncodable,
    NotInThisVersion,
    PayloadTooLarge,
    ResultTooLarge,
    UnknownRoute,
)
from actorkalix.failures import begun, failure_of
from actorkalix.limits import Limits
from actorkalix.model.component import MISSING, Context, Live
from actorkalix.model.effects import Decision, Effect
from actorkalix.model.metadata import NO_METADATA, Metadata
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, Reply

from .changes import Called, ChangeCode
from .publishing import Publisher
from .replies import fault
from .requests import forward_of

T = TypeVar("T")

Report = Callable[[Message, BaseException], object]
"""Is told of a handler that failed, for the log."""

Elements = AsyncIterator[bytes]
"""Elements of a stream that a handler takes, each encoded."""

Threads = Callable[[Callable[[], T]], Awaitable[T]]
"""Calls a function somewhere else, where it may block."""

_Handler: TypeAlias = HandlerDescriptor | ChangeHandler


class InvalidElement(InvalidPayload):
    """An element of a stream does not fit the handler: it gets this where it takes the next one."""


_FAULTS = (HandlerFailed, InvalidEffect, NotEncodable, NotInThisVersion, ResultTooLarge)
_PASSED_ON = (
    CallsTooDeep,
    EntityDeleted,
    IdempotencyKeyReused,
    InvalidElement,
    InvalidEntityId,
    InvalidIdempotencyKey,
    InvalidTimer,
    PayloadTooLarge,
)
"""Errors of a call that say something to whoever called the action; so do AK3xxx and AK4xxx."""

_FAILED = (Exception, SystemExit)
"""What ends a handler by its own doing; anything else ends the task or the process around it."""


class ActionCode:
    """Runs the handlers of an action.

    Args:
        descriptor: of the action.
        limits: bounds of payloads; the defaults when not given.
        report: is told of handlers that failed in a way that callers are not told.
        threads: where plain functions run; without it they run in `run` itself.
    """

    def __init__(
        self,
        descriptor: ComponentDescriptor,
        limits: Limits | None = None,
        *,
        report: Report,
        threads: Threads[Any] | None = None,
    ) -> None:
        codec = codecs_for(descriptor)
        self._cls = descriptor.cls
        self._id = descriptor.component_id
        self._handlers = descriptor.handlers
        self._arguments = codec.arguments
        self._replies = codec.replies
        self._changes = ChangeCode(descriptor)
        self._elements = codec.elements
        limits = limits or Limits()
        self._publisher = Publisher(descriptor.component_id, limits)
        self._size_max = limits.payload_bytes_max
        self._report = report
        self._threads = threads

    async def run(self, message: Message, live: Live, elements: Elements | None = None) -> Reply:
        """Run the handler that a message names.

        Args:
            message: whose correlation id is not "".
            live: what the handler sees; its context is made from the message where it has none.
            elements: for a handler that takes a stream; in JSON, if the message is not MessagePack.

        Cancellation: cancels the handler.
        """
        component = self._cls()
        try:
            if message.encoding is Encoding.CHANGES:
                return await self._take(message, live, component)
            handler, args, kwargs = self._called(message, elements)
            component._live = _with_context(live, message)
            returned = await self._returned(handler, component, args, kwargs)
            return self._reply(handler, returned, message)
        except BaseException as problem:
            if not isinstance(problem, _FAILED):
                raise
            return self._failed(problem, message)
        finally:
            component._live = None

    async def stream(
        self, message: Message, live: Live, elements: Elements | None = None
    ) -> AsyncGenerator[Reply]:
        """Run a handler that streams: a reply for each element; a failure is the last one.

        Args:
            message: as for `run`.
            live: as for `run`.
            elements: as for `run`.

        Cancellation: ends the handler where it waits; so does closing this iterator (AC-03).
        """
        component = self._cls()
        produced: Any = None
        try:
            handler, args, kwargs = self._called(message, elements)
            component._live = _with_context(live, message)
            produced = await self._returned(handler, component, args, kwargs)
            if not hasattr(produced, "__aiter__"):
                where, got = self._where(handler), type(produced).__name__
                raise InvalidEffect(f"{where} streams, but returned {got}, no async iterator")
            async for element in produced:
                reply = self._reply(handler, element, message)
                if reply.forward is not None:
                    where = self._where(handler)
                    raise InvalidEffect(f"{where} forwards an element of its stream; await it")
                yield reply
                if reply.failure is not None:
                    return
        except BaseException as problem:
            if not isinstance(problem, _FAILED):
                raise
            yield self._failed(problem, message)
        finally:
            if hasattr(produced, "aclose"):
                await produced.aclose()
            component._live = None

    def streams(self, method: str) -> bool:
        """Whether a handler of this name answers with a stream."""
        handler = self._handlers.get(method)
        return handler is not None and handler.streams

    # ---- running ---------------------------------------------------------------------------------
    async def _take(self, message: Message, live: Live, component: Any) -> Reply:
        """Run the method of a subscription."""
        try:
            called = self._changes.called(message)
        except (InvalidPayload, UnknownRoute) as problem:
            raise _Refused(problem) from None
        component._live = _with_context(live, message, called.context)
        returned = await self._returned(called.handler, component, called.args, {})
        return self._taken(called, returned, message)

    def _taken(self, called: Called, returned: Any, message: Message) -> Reply:
        """What a method returns goes to its topics, if it has any; it is nobody's reply."""
        decision, value = Decision(), returned
        if isinstance(returned, Effect):
            decision = returned.decision
            self._refuse_change(called.handler, decision)
            if decision.error is not None:
                return self._failed(decision.error, message)
            if decision.forward is not None:
                return self._forwarded(decision, message)
            value = None if decision.reply is None else decision.reply(None)
        subject = called.context.subject
        orders = self._publisher.of(called.handler, value, decision.metadata, message, subject)
        return Reply(before=orders)

    def _called(
        self, message: Message, elements: Elements | None
    ) -> tuple[HandlerDescriptor, tuple[Any, ...], dict[str, Any]]:
        handler = self._handlers.get(message.method)
        size = len(message.payload)
        try:
            if handler is None:
                raise UnknownRoute(f"{self._id} has no handler {message.method!r}")
            if size > self._size_max:
                raise PayloadTooLarge(
                    f"a request of {size} bytes, payload_bytes_max is {self._size_max}"
                )
            args, kwargs = self._arguments[message.method].decode(message.payload, message.encoding)
        except (InvalidPayload, PayloadTooLarge, UnknownRoute) as problem:
            raise _Refused(problem) from None
        if handler.elements is not None:
            names = (one.name for one in handler.parameters)
            kwargs = {**dict(zip(names, args, strict=False)), **kwargs}
            kwargs[handler.elements.name] = self._decoded(message, elements)
            args = ()
        return handler, args, kwargs

    async def _decoded(self, message: Message, elements: Elements | None) -> AsyncGenerator[Any]:
        """What a handler gets for the stream that it takes."""
        is_msgpack = message.encoding is Encoding.MSGPACK
        encoding = Encoding.MSGPACK if is_msgpack else Encoding.JSON
        codec, number = self._elements[message.method], 0
        if elements is None:
            return
        async for payload in elements:
            number += 1
            try:
                if len(payload) > self._size_max:
                    raise InvalidPayload(f"{len(payload)} bytes, at most {self._size_max}")
                element = codec.decode(payload, encoding)
            except InvalidPayload as problem:
                raise InvalidElement(f"line {number}: {problem}") from None
            yield element

    async def _returned(
        self,
        handler: _Handler,
        component: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """What the handler returns, whether it is a coroutine or a plain function."""
        returned: Any
        if self._threads is None or not handler.blocking:
            returned = handler.fn(component, *args, **kwargs)
        else:
            returned = await self._threads(lambda: handler.fn(component, *args, **kwargs))
        return await returned if hasattr(returned, "__await__") else returned

    # ---- what came of it -------------------------------------------------------------------------
    def _reply(self, handler: HandlerDescriptor, returned: Any, message: Message) -> Reply:
        decision = Decision()
        value = returned
        if isinstance(returned, Effect):
            decision = returned.decision
            self._refuse_change(handler, decision)
            if decision.error is not None:
                return self._failed(decision.error, message)
            if decision.forward is not None:
                return self._forwarded(decision, message)
            value = None if decision.reply is None else decision.reply(None)
        elif hasattr(returned, "decision"):
            got = type(returned).__name__
            raise InvalidEffect(
                f"{self._where(handler)} returned {got}, not an effect; end it with .then_reply()"
            )
        payload = self._replies[handler.name].encode(value, message.accept)
        self._check_size("reply", len(payload))
        orders = self._publisher.of(handler, value, decision.metadata, message)
        return Reply(payload, None, decision.metadata.pairs, before=orders)

    def _forwarded(self, decision: Decision, message: Message) -> Reply:
        """Whoever is called next has the reply, in the encoding that was asked for (AC-30)."""
        assert decision.forward is not None, "there is a call"
        return Reply(forward=forward_of(message, decision.forward.request))

    def _refuse_change(
        self, handler: HandlerDescriptor | ChangeHandler, decision: Decision
    ) -> None:
        if decision.events or decision.has_state or decision.delete:
            raise InvalidEffect(f"{self._where(handler)} is of an action, which has no state")
        if decision.side_effects:
            raise NotInThisVersion(
                f"{self._where(handler)}: side effects of actions come later; await the call"
            )

    def _failed(self, problem: BaseException, message: Message) -> Reply:
        if isinstance(problem, _Refused):
            return Reply(failure=failure_of(problem.error))
        if isinstance(problem, CommandError):
            return self._refused(problem, message)
        if isinstance(problem, _FAULTS):
            self._report(message, problem)
            return _begun(fault(problem, message).reply.failure)
        if isinstance(problem, ActorkalixError) and _says_something(problem):
            return Reply(failure=begun(failure_of(problem)))
        self._report(message, problem)
        return _begun(failures.unexpected(message.correlation_id))

    def _refused(self, error: CommandError, message: Message) -> Reply:
        try:
            failure = failure_of(error)
            size = len(failure.message) + len(failure.details) + len(failure.fields)
            self._check_size("domain error", size)
        except _FAULTS as problem:
            return self._failed(problem, message)
        return Reply(failure=failure)

    def _check_size(self, what: str, size: int) -> None:
        if size > self._size_max:
            raise ResultTooLarge(
                f"{self._id}: {what} of {size} bytes, the limit is {self._size_max}"
            )

    def _where(self, handler: _Handler) -> str:
        return f"{self._cls.__name__}.{handler.name}"


class _Refused(Exception):
    """The caller is at fault."""

    def __init__(self, error: ActorkalixError) -> None:
        super().__init__(str(error))
        self.error = error


def _with_context(live: Live, message: Message, context: Context | None = None) -> Live:
    if live.context is not MISSING:
        return live
    context = context or Context(
        name=message.method,
        metadata=Metadata(message.metadata) if message.metadata else NO_METADATA,
    )
    return Live(context=context, client=live.client, timers=live.timers, resources=live.resources)


def _begun(failure: Failure | None) -> Reply:
    """A failure of a handler that had begun."""
    assert failure is not None, "it failed"
    return Reply(failure=msgspec.structs.replace(failure, outcome="unknown"))


def _says_something(error: ActorkalixError) -> bool:
    return isinstance(error, _PASSED_ON) or error.number.startswith(("AK3", "AK4"))
