"""Named timers of a service, for who asks from inside of a host: starting, cancelling, looking."""

from __future__ import annotations

import itertools
from datetime import timedelta

import msgspec

from actorkalix.engine.requests import caused_by, keyed, message_of
from actorkalix.engine.timer import CANCEL, GET, START, KeptCall, Plan, Seen
from actorkalix.failures import error_of
from actorkalix.model.timers import Schedule
from actorkalix.model.transport import Request
from actorkalix.ports import Ask, Clock, TimerView
from actorkalix_cluster.shardhost.fired import TIMER
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind

_MS = timedelta(milliseconds=1)


class HostTimers:
    """`model.timers.Keeper` over whoever answers messages here.

    Args:
        ask: a router or a host.
        clock: the host's.
        cause: the message whose handler asks; its trace goes with the calls (TI-13).
    """

    def __init__(self, ask: Ask, clock: Clock, cause: Message | None = None) -> None:
        self._ask = ask
        self._clock = clock
        self._cause = cause
        self._numbers = itertools.count(2)  # of single timers; below it are forwards

    async def start(self, name: str, request: Request, schedule: Schedule, /) -> None:
        """Start a timer, in place of one of the same name.

        The call of a single one has a key that is derived from that of the message whose handler
        starts it: when that message comes again, the timer may fire again, and its call counts
        once.

        Durability: it is on disk when this returns.

        Raises:
            ActorkalixError: what the timer's owner answers instead.
        """
        if self._cause is not None and schedule.after is not None:
            request = keyed(self._cause, request, -next(self._numbers))
        message = self._message(request)
        timeout_ms = 0 if request.timeout is None else max(1, request.timeout // _MS)
        call = KeptCall(
            message.component,
            message.entity,
            message.method,
            message.payload,
            message.kind is MessageKind.QUERY,
            message.metadata,
            message.key,
            timeout_ms,
        )
        plan = Plan(
            call,
            after_ms=_up(schedule.after),
            every_ms=_up(schedule.every),
            cron=schedule.cron,
            zone=schedule.zone,
            max_retries=-1 if schedule.max_retries is None else schedule.max_retries,
            catch_up=schedule.catch_up,
        )
        await self._tell(name, START, msgspec.msgpack.encode(plan))

    async def cancel(self, name: str, /) -> bool:
        """Forget a timer; whether there was one.

        Raises:
            ActorkalixError: what the timer's owner answers instead.
        """
        return msgspec.msgpack.decode(await self._tell(name, CANCEL), type=bool)

    async def get(self, name: str, /) -> TimerView | None:
        """A timer, or None.

        Raises:
            ActorkalixError: what the timer's owner answers instead.
        """
        found = await self._tell(name, GET, kind=MessageKind.QUERY)
        return view_of(name, msgspec.msgpack.decode(found, type=Seen)) if found else None

    def _message(self, request: Request) -> Message:
        now_ms = self._clock.now_ms()
        if self._cause is None:
            return message_of(request, now_ms=now_ms, correlation_id="")
        return caused_by(self._cause, request, now_ms=now_ms)

    async def _tell(
        self,
        name: str,
        method: str,
        payload: bytes = b"",
        kind: MessageKind = MessageKind.COMMAND,
    ) -> bytes:
        reply = await self._ask.ask(
            Message(kind, TIMER, name, method, payload, Encoding.MSGPACK, Encoding.MSGPACK)
        )
        if reply.failure is not None:
            raise error_of(reply.failure)
        return reply.payload


def view_of(name: str, seen: Seen) -> TimerView:
    """A timer as others see it."""
    timer, plan = seen.timer, seen.timer.plan
    return TimerView(
        name,
        plan.call.component,
        plan.call.entity,
        plan.call.method,
        timer.due_ms,
        seen.look_ms,
        plan.every_ms,
        plan.cron,
        plan.zone if plan.cron else "",
        timer.number,
        timer.attempt,
        None if plan.max_retries < 0 else plan.max_retries,
        timer.failure,
        timer.failed_ms,
        plan.catch_up,
    )


def _up(wait: timedelta | None) -> int:
    """In milliseconds; a part of one counts as a whole: nothing fires early."""
    return 0 if wait is None else -(-wait // _MS)
