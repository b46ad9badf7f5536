"""What stands in for a service in a kit."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from actorkalix.errors import CommandError
from actorkalix.testkit.answering import StandIn
from actorkalix_cluster.shardhost.fired import TIMER
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from tests.unit.actorkalix.testkit.test_workflow import Till


def asked(stand_in: StandIn, amount: int = 3) -> Reply:
    payload = msgspec.msgpack.encode({"amount": amount})
    message = Message(MessageKind.COMMAND, "kit-till", "t", "take", payload, Encoding.MSGPACK)
    return asyncio.run(stand_in.ask(message))


def test_values_errors_and_functions() -> None:
    stand_in = StandIn()
    stand_in.answer(Till.take, 5)
    assert msgspec.msgpack.decode(asked(stand_in).payload) == 5
    stand_in.answer(Till.take, lambda amount: amount * 2)
    assert msgspec.msgpack.decode(asked(stand_in, 4).payload) == 8
    stand_in.answer(Till.take, CommandError("no"))
    failure = asked(stand_in).failure
    assert failure is not None
    assert (failure.number, failure.message) == ("AK2001", "no")
    assert [call.arguments["amount"] for call in stand_in.asked] == [3, 4, 3]


def test_errors_that_are_none_of_ours_are_raised() -> None:
    stand_in = StandIn()
    stand_in.answer(Till.take, TimeoutError("gone"))
    with pytest.raises(TimeoutError):
        asked(stand_in)


def test_a_missing_answer_is_kept() -> None:
    stand_in = StandIn()
    with pytest.raises(AssertionError, match="no answer"):
        asked(stand_in)
    assert stand_in.unanswered is not None


def test_timers_are_there() -> None:
    stand_in = StandIn()
    got = asyncio.run(stand_in.ask(Message(MessageKind.QUERY, TIMER, "name", "get")))
    assert got.payload == b""
    assert stand_in.asked == []
