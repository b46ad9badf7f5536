"""Dead letters of one store for operators: listed by pages, shown; of a running host also handled.

A replay hands the record to its consumer's handler again, under the key that it always had, so what
the handler does to entities happens once. A letter that is handled is gone; one that fails stays,
with another attempt counted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from actorkalix.consumer_views import DeadLetterPage, DeadLetterView, Dropped, Replayed
from actorkalix.errors import InvalidPayload, StoredDataUnreadable, UnknownRoute
from actorkalix.failures import error_of
from actorkalix.runtime.paging import page_of
from actorkalix.runtime.presentation import event_view
from actorkalix_cluster.shardhost.dead_letters import (
    DEAD_LETTERS,
    DeadLetter,
    consumer_of,
    drop_order,
    failed_order,
    get_query,
    unpack_letter,
)
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_cluster.shardhost.subscriber import reason_of
from actorkalix_storage.api import RecordKind, Store, StoredRecord

log = logging.getLogger("actorkalix.consumer")

LIST = "`actorkalix dead-letters` lists them"


class LettersAsked(msgspec.Struct, frozen=True):
    """A page that is asked of a store; of one consumer, or of all for ""."""

    consumer: str
    page: str
    limit: int


def checked_letter_id(letter: str) -> str:
    """The id itself.

    Raises:
        InvalidPayload: no dead letter has such an id.
    """
    if not consumer_of(letter):
        raise InvalidPayload(f"{letter[:80]!r} is no id of a dead letter; {LIST}")
    return letter


def unknown_letter(letter: str) -> UnknownRoute:
    """What is said where there is no such letter."""
    return UnknownRoute(f"there is no dead letter {letter!r}; {LIST}")


def letters_of(store: Store, is_home: Callable[[int], bool], asked: LettersAsked) -> DeadLetterPage:
    """A page of a store's dead letters.

    Raises:
        InvalidPayload: the page is none.
        StoredDataUnreadable: a letter cannot be read; the message names it.
    """

    def view(shard: int, name: str) -> DeadLetterView | None:
        if asked.consumer not in ("", consumer_of(name)):
            return None
        letter = _stored(store, shard, name)
        return None if letter is None else view_of(letter)

    return DeadLetterPage(*page_of(store, DEAD_LETTERS, is_home, asked.page, asked.limit, view))


def letter_shown(store: Store, shard: int, name: str) -> DeadLetterView:
    """A letter with its payload.

    Raises:
        UnknownRoute: there is none.
        StoredDataUnreadable: it cannot be read.
    """
    letter = _stored(store, shard, name)
    if letter is None:
        raise unknown_letter(name)
    view, entry = view_of(letter), letter.entry()
    stored = StoredRecord(letter.shard, entry.position, (0, 0), letter.version, 0, entry.record)
    try:
        event = event_view(stored, None)
    except StoredDataUnreadable as error:
        return msgspec.structs.replace(view, note=f"the payload is not shown: {error}")
    return msgspec.structs.replace(
        view,
        type=event.type,
        type_version=event.type_version,
        payload=event.payload,
        metadata=event.metadata,
    )


def view_of(letter: DeadLetter) -> DeadLetterView:
    """A letter without its payload."""
    return DeadLetterView(
        id=letter.id,
        consumer=letter.consumer,
        component=letter.component,
        entity=letter.entity,
        sequence_number=letter.number,
        kind=RecordKind(letter.kind).name.lower(),
        time_ms=letter.time_ms,
        shard=letter.shard,
        epoch=letter.epoch,
        offset=letter.offset,
        attempts=letter.attempts,
        since_ms=letter.since_ms,
        failed_ms=letter.failed_ms,
        failure=letter.failure,
    )


def _stored(store: Store, shard: int, name: str) -> DeadLetter | None:
    history = store.load(shard, DEAD_LETTERS, name)
    if history is None or not history.records:
        return None
    try:
        return unpack_letter(history.records[-1].record.payload)
    except msgspec.MsgspecError as problem:
        raise StoredDataUnreadable(f"dead letter {name!r}: {problem}") from problem


class HostLetters:
    """Replays and drops the dead letters of a running host.

    Args:
        host: connected.
    """

    def __init__(self, host: ShardHost) -> None:
        self._host = host
        self._under_way: set[str] = set()

    async def replay(self, letter: str) -> Replayed:
        """Hand the record of a letter to its consumer again.

        Cancellation: the handler is cancelled, the letter stays.

        Raises:
            UnknownRoute: there is no such letter, or nobody here takes its record any more.
            InvalidPayload: it is being replayed.
            ActorkalixError: the shard is not served here now.
        """
        if letter in self._under_way:
            raise InvalidPayload(f"dead letter {letter!r} is being replayed")
        self._under_way.add(letter)
        try:
            return await self._replay(letter)
        finally:
            self._under_way.discard(letter)

    async def _replay(self, name: str) -> Replayed:
        reply = await self._told(get_query(name))
        if not reply.payload:
            raise unknown_letter(name)
        letter = unpack_letter(reply.payload)
        running = self._host.consumers
        subscriber = running.subscriber(letter.consumer) if running is not None else None
        entry = letter.entry()
        if subscriber is None or not subscriber.wants(entry.record):
            raise UnknownRoute(
                f"nothing in this service takes what {letter.consumer} failed on any more; deploy "
                f"a handler for it, or forget it: actorkalix dead-letters drop {name}"
            )
        try:
            await subscriber.handle([entry])
        except Exception as error:  # whatever it is, the letter stays
            reason = reason_of(error)
            log.info("dead letter %s was not handled", name, exc_info=True)
            await self._told(failed_order(name, reason))
            return Replayed(name, False, reason)
        await self._told(drop_order(name))
        return Replayed(name, True)

    async def drop(self, letter: str) -> Dropped:
        """Forget a letter; whether there was one.

        Raises:
            ActorkalixError: the shard is not served here now.
        """
        reply = await self._told(drop_order(letter))
        return Dropped(letter, msgspec.msgpack.decode(reply.payload, type=bool))

    async def _told(self, message: Message) -> Reply:
        reply = await self._host.ask(message)
        if reply.failure is not None:
            raise error_of(reply.failure)
        return reply
