"""Answers for the calls that an action or a step makes in a kit of its own."""

from __future__ import annotations

from typing import Any

from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.engine.timer import TimerBehavior
from actorkalix.errors import ActorkalixError
from actorkalix.failures import failure_of
from actorkalix.limits import Limits
from actorkalix.model.handlers import HandlerRef
from actorkalix.runtime.virtual import START_MS
from actorkalix_cluster.shardhost.behavior import BehaviorError
from actorkalix_cluster.shardhost.fired import TIMER
from actorkalix_cluster.shardhost.messages import Encoding, Message
from actorkalix_cluster.shardhost.messages import Reply as Answer

from .results import Forwarded, forwarded

_NONE: Any = object()


class KeptTimers:
    """The timers of a kit, as the actors that they are in a service; none fires."""

    def __init__(self) -> None:
        self._behavior = TimerBehavior(Limits())
        self._timers: dict[str, Any] = {}

    async def ask(self, message: Message, /) -> Answer:
        """What a timer answers."""
        name = message.entity
        timer = self._timers.get(name) or self._behavior.empty(name)
        try:
            step = self._behavior.step(timer, message, START_MS)
        except BehaviorError as refused:
            return refused.reply
        self._timers[name] = step.instance
        return step.reply


class StandIn:
    """Answers messages in the place of a service: `Ask` of a kit.

    Attributes:
        asked: the calls that were made, in order.
        unanswered: of the newest call for which there was no answer, or None.
    """

    def __init__(self) -> None:
        self.asked: list[Forwarded] = []
        self.unanswered: AssertionError | None = None
        self._answers: dict[tuple[str, str], tuple[type[Any], Any]] = {}
        self._timers = KeptTimers()

    def answer(self, handler: HandlerRef[Any, ..., Any], value: Any) -> None:
        """Answer calls of this handler so, until it is told anew."""
        component = descriptor_of(handler.owner).component_id
        self._answers[component, handler.name] = (handler.owner, value)

    async def ask(self, message: Message, /) -> Answer:
        """The answer that was told, in bytes."""
        if message.component == TIMER:
            return await self._timers.ask(message)
        self.asked.append(forwarded(message))
        owner, value = self._answers.get((message.component, message.method), (object, _NONE))
        if value is _NONE:
            which = f"{message.component}.{message.method}"
            said = f"it calls {which}, for which there is no answer; write kit.answer(...)"
            self.unanswered = AssertionError(said)
            raise self.unanswered
        codec = codecs_for(descriptor_of(owner))
        try:
            if isinstance(value, Exception):
                raise value
            if callable(value):
                args, kwargs = codec.arguments[message.method].decode(
                    message.payload, message.encoding
                )
                value = value(*args, **kwargs)
        except ActorkalixError as error:
            return Answer(failure=failure_of(error))
        return Answer(codec.replies[message.method].encode(value, Encoding.MSGPACK))
