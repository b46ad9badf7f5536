"""The outbox sends what was committed, in order, once as far as its receivers can tell."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix_cluster.shardhost.messages import Failure, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.outbox import NotTaken, Outbox
from actorkalix_cluster.shardhost.outgoing import pack_messages
from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_storage.api import Position, Record, RecordKind


class Receiver:
    """Answers what it is told to; `{}` is an empty value."""

    def __init__(self, **numbers: str) -> None:
        self.numbers = numbers
        self.got: list[Message] = []

    async def ask(self, message: Message, /) -> Reply:
        self.got.append(message)
        number = self.numbers.get(message.method, "")
        return Reply(failure=Failure(number, "internal", "no")) if number else Reply()


def message(method: str, *, key: str = "", kind: MessageKind = MessageKind.COMMAND) -> Message:
    return Message(kind, "cart", "c1", method, key=key)


def entry(*messages: Message, offset: int = 5) -> Entry:
    record = Record(RecordKind.OUTBOX, "order", "o1", 1, 0, pack_messages(messages))
    return Entry(3, Position(7, 1, offset), 2, record)


def handle(receiver: Receiver, *entries: Entry) -> None:
    asyncio.run(Outbox(receiver).handle(entries))


def test_it_wants_messages_of_all_components_and_nothing_else() -> None:
    outbox = Outbox(Receiver())
    assert outbox.wants(entry().record)
    assert not outbox.wants(Record(RecordKind.EVENT, "order", "o1", 1, 0))


def test_messages_are_sent_in_order_each_under_a_key_of_its_own() -> None:
    receiver = Receiver()
    handle(receiver, entry(message("one"), message("two", key="mine"), message("one")))
    assert [each.method for each in receiver.got] == ["one", "two", "one"]
    keys = [each.key for each in receiver.got]
    assert keys[1] == "mine"
    assert len(set(keys)) == 3
    again = Receiver()
    handle(again, entry(message("one"), message("two", key="mine"), message("one")))
    assert [each.key for each in again.got] == keys


def test_queries_need_no_key() -> None:
    receiver = Receiver()
    handle(receiver, entry(message("tell", kind=MessageKind.QUERY)))
    assert receiver.got[0].key == ""


@pytest.mark.parametrize("number", ["AK2001", "AK2002", "AK2008", "AK2009"])
def test_a_refusal_of_what_it_says_is_an_outcome(number: str) -> None:
    receiver = Receiver(one=number)
    handle(receiver, entry(message("one"), message("two")))
    assert [each.method for each in receiver.got] == ["one", "two"]


@pytest.mark.parametrize("number", ["AK3001", "AK3101", "AK2003", "AK2010", "AK9001"])
def test_what_may_pass_is_sent_again(number: str) -> None:
    receiver = Receiver(one=number)
    with pytest.raises(NotTaken, match=f"cart 'c1'.one: {number} no"):
        handle(receiver, entry(message("one"), message("two")))
    assert [each.method for each in receiver.got] == ["one"]
