"""The outbox: the consumer that sends what actors have others do.

Theory of operation. The messages are records of the commit that caused them (`RecordKind.OUTBOX`),
so either both are there or none. They are sent in the order of the records of an actor, one after
the other; the next record's when all of this one's have had an outcome:

    the reply                                  the message is
    a value, a domain error                    done: what the receiver makes of it is its business
    refused for what it says (`OVER`)          done, with an error in the log: it is never taken
    no such component or handler, it raised    sent again: a deploy may mend it
    anything else                              sent again

"Sent again" is the consumer's: the actor's messages wait, those of others go on. Each message has a
key of its own or a derived one, so an actor that gets it twice handles it once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import msgspec

from actorkalix_cluster.shardhost.firing import Reach
from actorkalix_cluster.shardhost.messages import Failure, Message, MessageKind
from actorkalix_cluster.shardhost.outgoing import derived_key, unpack_messages
from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_storage.api import Record, RecordKind, ShardState

log = logging.getLogger("actorkalix.outbox")

OUTBOX = "~outbox"
DOMAIN_ERROR = "AK2001"
OVER = frozenset(("AK2001", "AK2002", "AK2005", "AK2006", "AK2007", "AK2008", "AK2009"))
"""Refusals of what a message says; what is wrong with the code of the receiver may be mended."""


class NotTaken(Exception):
    """A message of an actor could not be delivered."""


class Outbox:
    """See the head of this file; a `Subscriber`.

    Args:
        reach: sends the messages.
        others: begins of the ids of actors whose messages are for somebody else, by component.
    """

    consumer = OUTBOX
    batch_max = 1
    blocks = False
    dead_letters = False
    from_now = False
    numbered: tuple[str, str] | None = None
    folds = ""

    def __init__(self, reach: Reach, others: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._reach = reach
        self._others = others or {}

    def wants(self, record: Record, /) -> bool:
        """Records with messages, of whatever component, that are not for somebody else."""
        if record.kind is not RecordKind.OUTBOX:
            return False
        others = self._others.get(record.component)
        return others is None or not record.entity.startswith(others)

    def nothing_after(self, state: ShardState, /) -> int | None:
        """The store knows the newest record with messages."""
        return state.outbox

    async def handle(self, entries: Sequence[Entry], /) -> None:
        """Send the messages of these records.

        Raises:
            NotTaken: one has to be sent again; those before it are done.
        """
        for entry in entries:
            for number, message in enumerate(unpack_messages(entry.record.payload)):
                await self._send(entry, number, message)

    async def _send(self, entry: Entry, number: int, message: Message) -> None:
        key = message.key
        if not key and message.kind is MessageKind.COMMAND:
            key = derived_key(entry.shard, entry.position, OUTBOX, number)
        reply = await self._reach.ask(msgspec.structs.replace(message, key=key))
        failure = reply.failure
        if failure is None:
            return
        target = f"{message.component} {message.entity!r}.{message.method}"
        if not is_over(failure):
            raise NotTaken(f"{target}: {failure.number} {failure.message}")
        component, entity = entry.subject
        level = logging.INFO if failure.number == DOMAIN_ERROR else logging.ERROR
        log.log(
            level,
            "%s %r had asked %s, which answered: %s %s",
            *(component, entity, target, failure.number, failure.message),
        )


def is_over(failure: Failure) -> bool:
    """Whether sending a message again would end the same."""
    return failure.number in OVER
