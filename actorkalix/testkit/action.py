"""`ActionTestKit`: an action without a runtime, by the code that serves it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Generic, ParamSpec, TypeVar, cast

from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.engine import ActionCode
from actorkalix.engine.action import Elements
from actorkalix.engine.requests import message_of, without_elements
from actorkalix.errors import ActorkalixError, InvalidPayload
from actorkalix.failures import error_of
from actorkalix.model.actions import Action
from actorkalix.model.client import Client
from actorkalix.model.component import Live
from actorkalix.model.handlers import HandlerRef, StreamRef
from actorkalix.model.metadata import NO_METADATA, Metadata
from actorkalix.model.timers import Timers
from actorkalix.model.transport import Reply, Request
from actorkalix.runtime.actions import in_thread
from actorkalix.runtime.in_process import encoded
from actorkalix.runtime.timing import HostTimers
from actorkalix.runtime.virtual import VirtualClock
from actorkalix_cluster.shardhost.messages import Encoding, Message
from actorkalix_cluster.shardhost.messages import Reply as Answer

from .answering import KeptTimers
from .results import ActionResult, forwarded

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")
A = TypeVar("A", bound=Action)


class ActionTestKit(Generic[A]):
    """Runs handlers of an action, each on a fresh object (TK-06).

    Everything that crosses is written to bytes and read back, as in a running service (TK-08). The
    calls that a handler makes are answered by `answer`, or sent by a client of yours.

    Args:
        action: its class.
        client: sends the calls; of a `TestService`, say.
        resources: what `self.resources` is.

    Attributes:
        asked: the calls that were made without a client of yours, in order.
        timers: those that handlers started and did not cancel; none fires here. `await
            kit.timers.get("name")` tells when one is due and whom it would call.
    """

    def __init__(
        self, action: type[A], /, *, client: Client | None = None, resources: object = None
    ) -> None:
        self.asked: list[Request] = []
        self.timers = Timers(HostTimers(KeptTimers(), VirtualClock()))
        self._class = action
        self._client = client
        self._resources = resources
        self._answers: dict[tuple[str, str], Any] = {}
        self._metadata: Mapping[str, str] = NO_METADATA
        self._problems: list[BaseException] = []
        self._code = ActionCode(descriptor_of(action), report=self._report, threads=in_thread)

    def answer(
        self, handler: HandlerRef[C, ..., R], value: R | Exception | Callable[..., R], /
    ) -> ActionTestKit[A]:
        """This kit; it answers calls of this handler, of whatever entity, until it is told anew.

        Args:
            handler: `ShoppingCart.get_cart`.
            value: the reply; or an error, which the call raises; or a function of the call's
                arguments that gives the reply or raises.
        """
        component = descriptor_of(handler.owner).component_id
        self._answers[component, handler.name] = value
        return self

    def with_metadata(self, metadata: Mapping[str, str], /) -> ActionTestKit[A]:
        """This kit; its next call carries the metadata."""
        self._metadata = metadata
        return self

    async def call(
        self, handler: HandlerRef[A, P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> ActionResult[R]:
        """Run one handler.

        Raises:
            InvalidPayload: an argument is not of its declared type.
            NotEncodable, InvalidEffect, HandlerFailed: what the handler made breaks a rule.
            AssertionError: it made a call for which there is no answer.
            Exception: whatever else the handler raised.
        """
        message, elements = self._message(handler.name, args, kwargs)
        reply = await self._code.run(message, self._live(), elements)
        error = self._error(reply)
        value = None
        if error is None and reply.forward is None:
            value = self._value(handler.name, reply)
        return ActionResult(
            value,
            error,
            metadata=dict(reply.metadata),
            forward=None if reply.forward is None else forwarded(reply.forward),
        )

    async def stream(
        self, handler: StreamRef[A, P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[R]:
        """Run a handler that streams, and give its elements.

        Raises:
            ActorkalixError: the error with which it ended.
            Exception: as for `call`.
        """
        message, elements = self._message(handler.name, args, kwargs)
        async with aclosing(self._code.stream(message, self._live(), elements)) as replies:
            async for reply in replies:
                if (error := self._error(reply)) is not None:
                    raise error
                yield cast("R", self._value(handler.name, reply))

    # ---- within ----------------------------------------------------------------------------------
    def _message(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Message, Elements | None]:
        metadata, self._metadata = self._metadata, NO_METADATA
        asked = Request(self._class, None, name, args, kwargs, metadata=Metadata(metadata))
        request, elements = without_elements(asked)
        sent = None if elements is None else encoded(request, elements)
        return message_of(request, correlation_id="test"), sent

    def _live(self) -> Live:
        loop = asyncio.get_running_loop()
        client = self._client or Client._over(_Answering(self), loop=loop)
        return Live(client=client, timers=self.timers, resources=self._resources)

    def _report(self, _message: Message, problem: BaseException) -> None:
        self._problems.append(problem)

    def _error(self, reply: Answer) -> ActorkalixError | None:
        """What the caller is told; what it is told nothing of is raised."""
        problems, self._problems = self._problems, []
        if problems:
            raise problems[0]
        error = error_of(reply.failure) if reply.failure else None
        if isinstance(error, InvalidPayload):
            raise error  # a mistake of the test, not an answer of the action
        return error

    def _value(self, name: str, reply: Answer) -> Any:
        codec = codecs_for(descriptor_of(self._class)).replies[name]
        return codec.decode(reply.payload, Encoding.MSGPACK)

    def _answer_to(self, request: Request) -> Any:
        message = message_of(request)  # which says what cannot be sent
        self.asked.append(request)
        descriptor = descriptor_of(request.component)
        found = self._answers.get((message.component, message.method), _NONE)
        if found is _NONE:
            which = f"{request.component.__name__}.{request.method}"
            raise AssertionError(
                f"{self._class.__name__} calls {which}, for which there is no answer; "
                f"write kit.answer({which}, ...)"
            )
        if isinstance(found, Exception):
            raise found
        value = found(*request.args, **request.kwargs) if callable(found) else found
        codec = codecs_for(descriptor).replies[request.method]
        return codec.decode(codec.encode(value, Encoding.MSGPACK), Encoding.MSGPACK)


_NONE: Any = object()


class _Answering:
    """The transport of a kit's own client."""

    def __init__(self, kit: ActionTestKit[Any]) -> None:
        self._kit = kit

    async def send(self, request: Request, /) -> Reply[Any]:
        return Reply(self._kit._answer_to(request))

    async def aclose(self) -> None:
        """Nothing is open."""
