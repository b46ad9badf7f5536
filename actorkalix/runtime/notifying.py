"""Listening to workflows: what one tells, as a stream, wherever its owner is.

Theory of operation. What an effect tells is in the record of that effect, so it is told when that
is durable, in its order, and once. The owner keeps what was told of late in the instance (`Heard`);
whoever listens asks for it by a query, as any other, again and again: each 50 ms while something is
told, each second while nothing is. So nobody pushes, no owner knows its listeners, and a stream
survives that the workflow moves to another host.

A stream begins behind the newest record, or behind the mark that its caller brings. Where records
behind its place are gone (the owner has forgotten them, or they lie before the snapshot from which
it came back), some may have told something: the stream fails then, for a gap is never hidden. It
ends when the workflow has ended and all is told, and when the id begins a new life.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.describe.descriptors import ComponentDescriptor
from actorkalix.engine.action import Elements
from actorkalix.engine.workflow_messages import NOTES, Heard
from actorkalix.errors import InvalidPayload, NotificationsMissed
from actorkalix.failures import failure_of
from actorkalix.limits import LISTENERS_MAX
from actorkalix.runtime.actions import Surroundings
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply

LISTENS = "listening"
"""Event with which each stream begins: what is told from now on is in it."""

LOOK_S, LOOK_S_MAX = 0.05, 1.0  # between two looks: people see no delay / costs nothing
_ALL = 1 << 62  # as the place of a note: all of its record were heard


class Listeners:
    """Follows the notifications of one workflow class.

    Args:
        workflow: its descriptor; one of its handlers is marked @notifications.
        around: what there is in this process.
    """

    def __init__(self, workflow: ComponentDescriptor, around: Surroundings) -> None:
        self._around = around
        self._codecs = codecs_for(workflow).replies
        self._open = 0

    async def stream(
        self, message: Message, elements: Elements | None = None, /
    ) -> AsyncGenerator[Reply]:
        """What a workflow tells, as it does; a failure is the last.

        Args:
            message: names the workflow, and in `resume` the last note that was heard.
            elements: none.
        """
        if self._open >= LISTENERS_MAX:
            yield Reply(failure=failures.overloaded(f"{LISTENERS_MAX} streams are open"))
            return
        self._open += 1
        try:
            async for reply in self._followed(message):
                yield reply
        finally:
            self._open -= 1

    async def _followed(self, message: Message) -> AsyncGenerator[Reply]:
        heard = await self._look(message)
        if not isinstance(heard, Heard):
            yield heard
            return
        life = heard.life
        try:
            at = _place(message.resume) if message.resume else (heard.number, _ALL)
        except InvalidPayload as problem:
            yield Reply(failure=failure_of(problem))
            return
        yield Reply(b"null", event=LISTENS, mark=_mark(at))
        wait_s = LOOK_S
        while True:
            if life and heard.life != life:
                return  # it was deleted, and the id has begun anew
            life = heard.life
            if (heard.since, _ALL) > at and heard.since:
                missed = f"{message.component} {message.entity!r} has told more than could be heard"
                yield Reply(failure=failure_of(NotificationsMissed(missed)))
                return
            before = at
            for number, notes in heard.notes:
                for nth, note in enumerate(notes):
                    if (number, nth) > at:
                        at = (number, nth)
                        yield self._told(message, note, at)
            if heard.over:
                return
            at = max(at, (heard.number, _ALL))
            wait_s = LOOK_S if at[0] != before[0] else min(LOOK_S_MAX, 2 * wait_s)
            await self._around.sleep(wait_s)
            found = await self._look(message)
            if not isinstance(found, Heard):
                yield found
                return
            heard = found

    async def _look(self, message: Message) -> Heard | Reply:
        asked = Message(
            *(MessageKind.QUERY, message.component, message.entity, NOTES, b""),
            *(Encoding.MSGPACK, Encoding.MSGPACK),
            correlation_id=message.correlation_id,
        )
        reply = await self._around.ask.ask(asked)
        if reply.failure is not None:
            return reply
        return _HEARD.decode(reply.payload)

    def _told(self, message: Message, note: bytes, at: tuple[int, int]) -> Reply:
        if message.accept is not Encoding.MSGPACK:
            codec = self._codecs[message.method]
            note = codec.encode(codec.decode(note, Encoding.MSGPACK), message.accept)
        return Reply(note, mark=_mark(at))


def listens(workflow: ComponentDescriptor) -> bool:
    """The workflow tells something to those who listen."""
    return any(each.kind == "notifications" for each in workflow.handlers.values())


def _mark(at: tuple[int, int]) -> str:
    number, nth = at
    return f"{number}" if nth == _ALL else f"{number}.{nth}"


def _place(mark: str) -> tuple[int, int]:
    """The place that a mark names.

    Raises:
        InvalidPayload: it is none.
    """
    number, _, nth = mark.partition(".")
    if not (number.isascii() and number.isdigit()) or (nth and not nth.isdigit()):
        raise InvalidPayload(f"the mark {mark[:40]!r} is none of this stream's")
    return int(number), int(nth) if nth else _ALL


_HEARD = msgspec.msgpack.Decoder(Heard)
