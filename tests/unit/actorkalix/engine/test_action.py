"""Actions: fresh objects, replies, effects and failures, as messages see them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import pytest

from actorkalix import (
    Action,
    Client,
    CommandError,
    Effect,
    Limits,
    handler,
    publish,
    subscribe,
    topic,
)
from actorkalix.describe import descriptor_of
from actorkalix.engine.action import ActionCode
from actorkalix.engine.changes import Change, pack_changes
from actorkalix.engine.topic import TopicMessage, read_message
from actorkalix.errors import InvalidTimer, OwnerAway
from actorkalix.model.component import Live
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from actorkalix_storage.api import RecordKind

from .ledger import Book


@dataclass(frozen=True)
class Quote:
    cents: int


class OutOfStock(CommandError):
    def __init__(self, product: str) -> None:
        super().__init__(f"no {product} left", code="not_found")
        self.product = product


class Desk(Action, id="desk"):
    seen: int = 0

    @handler
    async def quote(self, cents: int, off: int = 0) -> Quote:
        self.seen += 1
        await asyncio.sleep(0)
        assert self.context.name == "quote"
        return Quote(cents - off + 1000 * (self.seen - 1))

    @handler
    def plain(self) -> str:
        return self.context.metadata["who"]

    @handler
    async def with_metadata(self) -> Effect[int]:
        return self.effects.reply(3).with_metadata({"unit": "cm"})

    @handler
    async def refuses(self, how: str) -> Effect[int]:
        if how == "raise":
            raise OutOfStock("pens")
        return self.effects.error("closed", code="failed_precondition", details={"until": 9})

    @handler
    async def breaks(self, how: str) -> int:
        if how == "away":
            raise OwnerAway("the owner is away")
        if how == "exit":
            raise SystemExit(3)
        if how == "type":
            return cast("int", "x")
        if how == "large":
            raise CommandError("x" * 2_000)
        raise ZeroDivisionError("secret")

    @handler
    async def passes_on(self) -> Effect[int]:
        return self.effects.forward(self.client.entity(Book, "l1").total())

    @handler
    async def waits(self) -> None:
        await asyncio.Event().wait()

    @handler
    async def counts(self, to: int, then: str = "") -> AsyncIterator[int]:
        try:
            for n in range(to):
                assert self.context.name == "counts"
                yield n
            if then:
                raise CommandError(then)
        finally:
            CLOSED.append(to)


CLOSED: list[int] = []


class Rig:
    def __init__(self) -> None:
        self.reported: list[BaseException] = []
        self.code = ActionCode(
            descriptor_of(Desk),
            Limits(payload_bytes_max=1_000),
            report=self.report,
        )

    def report(self, _message: Message, problem: BaseException) -> None:
        self.reported.append(problem)

    def message(self, method: str, arguments: Any = None, **options: Any) -> Message:
        body = b"" if arguments is None else msgspec.json.encode(arguments)
        return Message(
            MessageKind.COMMAND, "desk", "", method, body, correlation_id="cid-1", **options
        )

    def live(self) -> Live:
        return Live(client=Client._over(_Nowhere()))

    def run(self, method: str, arguments: Any = None, **options: Any) -> Reply:
        return asyncio.run(self.code.run(self.message(method, arguments, **options), self.live()))


class _Nowhere:
    async def send(self, request: object, /) -> Any:
        raise AssertionError(f"nobody sends {request}")

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_each_message_has_an_object_of_its_own(rig: Rig) -> None:
    """AC-01."""
    for _ in range(2):
        reply = rig.run("quote", {"cents": 12, "off": 2})
        assert reply == Reply(b'{"cents":10}')


def test_a_plain_function_sees_the_metadata_and_may_run_elsewhere(rig: Rig) -> None:
    assert rig.run("plain", metadata=(("Who", "me"),)).payload == b'"me"'

    async def main() -> Reply:
        code = ActionCode(descriptor_of(Desk), report=rig.report, threads=asyncio.to_thread)
        return await code.run(rig.message("plain", metadata=(("who", "you"),)), rig.live())

    assert asyncio.run(main()).payload == b'"you"'


def test_the_reply_has_the_encoding_and_the_metadata(rig: Rig) -> None:
    reply = rig.run("with_metadata", accept=Encoding.MSGPACK)
    assert reply == Reply(b"\x03", metadata=(("unit", "cm"),))


@pytest.mark.parametrize("how", ["raise", "return"])
def test_a_domain_error_is_the_callers(rig: Rig, how: str) -> None:
    failure = rig.run("refuses", {"how": how}).failure
    assert failure is not None
    if how == "raise":
        assert (failure.number, failure.code, failure.type) == ("AK2001", "not_found", "OutOfStock")
        assert msgspec.json.decode(failure.fields) == {"product": "pens"}
    else:
        assert (failure.code, failure.details) == ("failed_precondition", b'{"until":9}')
    assert rig.reported == []


@pytest.mark.parametrize(
    "how, number, says",
    [
        ("divide", "AK2010", "unexpected error [cid-1]"),
        ("exit", "AK2010", "unexpected error [cid-1]"),
        ("type", "AK2012", "expected int, got str [cid-1]"),
        ("large", "AK2014", "the limit is 1000 [cid-1]"),
    ],
)
def test_what_the_handler_does_wrong_is_reported(
    rig: Rig, how: str, number: str, says: str
) -> None:
    """AC-07."""
    failure = rig.run("breaks", {"how": how}).failure
    assert failure is not None
    assert failure.number == number
    assert failure.message.endswith(says)
    assert len(rig.reported) == 1


def test_of_a_call_that_failed_the_outcome_is_unknown(rig: Rig) -> None:
    """What the handler did before that call, nobody knows."""
    failure = rig.run("breaks", {"how": "away"}).failure
    assert failure is not None
    assert (failure.number, failure.outcome) == ("AK3101", "unknown")
    assert (failure.code, failure.http_status) == ("unavailable", 503)
    assert failure.message == "a call that it led to was not executed: the owner is away"
    assert rig.reported == []


@pytest.mark.parametrize(
    "method, arguments, number",
    [
        ("quote", {"cents": "x"}, "AK2002"),
        ("quote", {}, "AK2002"),
        ("nothing", None, "AK2003"),
        ("breaks", {"how": "x" * 1_000}, "AK2006"),
    ],
)
def test_bad_input_is_refused(rig: Rig, method: str, arguments: Any, number: str) -> None:
    failure = rig.run(method, arguments).failure
    assert failure is not None
    assert failure.number == number
    assert rig.reported == []


def test_a_forward_is_a_message_caused_by_this_one(rig: Rig) -> None:
    """AC-30: same correlation id and tracing, one deeper, a key of its own."""
    metadata = (("traceparent", "00-1"), ("tenant", "a"))
    options: dict[str, Any] = {"metadata": metadata, "key": "k", "deadline_ms": 77, "depth": 2}
    forward = rig.run("passes_on", **options).forward
    assert forward is not None
    assert (forward.kind, forward.component, forward.entity, forward.method) == (
        *(MessageKind.QUERY, "book", "l1", "total"),
    )
    assert (forward.correlation_id, forward.deadline_ms, forward.depth) == ("cid-1", 77, 3)
    assert forward.metadata == (("traceparent", "00-1"),)
    assert forward.accept is Encoding.JSON
    assert len(forward.key) == 32
    assert rig.run("passes_on", **options).forward == forward


def test_cancelled_is_cancelled(rig: Rig) -> None:
    async def main() -> None:
        task = asyncio.create_task(rig.code.run(rig.message("waits"), rig.live()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert rig.reported == []


def test_a_stream_is_a_reply_for_each_element(rig: Rig) -> None:
    async def main(arguments: Any) -> list[Reply]:
        message = rig.message("counts", arguments)
        return [reply async for reply in rig.code.stream(message, rig.live())]

    assert asyncio.run(main({"to": 2})) == [Reply(b"0"), Reply(b"1")]
    first, last = asyncio.run(main({"to": 1, "then": "enough"}))
    assert first.payload == b"0"
    assert last.failure is not None
    assert last.failure.message == "enough"
    (refused,) = asyncio.run(main({"to": "x"}))
    assert refused.failure is not None
    assert refused.failure.number == "AK2002"
    assert rig.code.streams("counts")
    assert not rig.code.streams("quote")


def test_a_stream_that_is_closed_closes_the_handlers(rig: Rig) -> None:
    """AC-03."""

    async def main() -> None:
        stream = rig.code.stream(rig.message("counts", {"to": 77}), rig.live())
        assert (await anext(stream)).payload == b"0"
        await stream.aclose()
        assert CLOSED[-1] == 77

    asyncio.run(main())


class Press(Action, id="press"):
    """Publishes what callers say, and what others have published."""

    @handler
    @publish(topic("news"))
    async def tell(self, text: str) -> Effect[str]:
        return self.effects.reply(text).with_metadata({"ce-subject": "here"})

    @subscribe(topic("rumours"))
    @publish(topic("news"))
    async def check(self, text: str) -> str | None:
        if text == "false":
            raise CommandError("it is false")
        return text if text != "dull" else None

    @subscribe(topic("orders"))
    async def on_order(self, order: Quote) -> None: ...


def pressed(message: Message) -> Reply:
    code = ActionCode(descriptor_of(Press), report=lambda message, problem: None)
    return asyncio.run(code.run(message, Live()))


def delivered(method: str, data: bytes, content_type: str = "text/plain") -> Message:
    made = TopicMessage("str", "s", "", "there", content_type, (), data)
    payload = msgspec.msgpack.encode(made)
    change = Change(RecordKind.EVENT, "rumours/3", 7, 0, payload, "i", "~d")
    changes = pack_changes([change])
    return Message(
        *(MessageKind.COMMAND, "press", "", method, changes, Encoding.CHANGES, Encoding.MSGPACK),
        key="~d",
    )


def test_what_is_returned_goes_before_the_reply() -> None:
    arguments = msgspec.msgpack.encode({"text": "hot"})
    reply = pressed(
        Message(*(MessageKind.COMMAND, "press", "", "tell", arguments, Encoding.MSGPACK))
    )
    assert reply.payload == b'"hot"'
    (order,) = reply.before
    made = read_message(order.payload)
    assert (made.data, made.subject, made.source) == (b"hot", "here", "press")


def test_what_a_subscription_returns_is_published_once_a_delivery() -> None:
    reply = pressed(delivered("check", b"new"))
    (order,) = reply.before
    assert (reply.payload, read_message(order.payload).subject) == (b"", "s")
    assert order.key
    assert pressed(delivered("check", b"new")) == reply
    assert pressed(delivered("check", b"dull")).before == ()
    refused = pressed(delivered("check", b"false"))
    assert refused.before == ()
    assert refused.failure is not None


def test_a_message_that_the_method_does_not_take_is_refused() -> None:
    reply = pressed(delivered("on_order", b"{}", "application/json"))
    assert reply.failure is not None
    assert (reply.failure.number, "cents: missing" in reply.failure.message) == ("AK2002", True)


class Late(Action, id="late-desk"):
    @handler
    async def start(self) -> None:
        raise InvalidTimer("cron '0 0 30 2 *' never comes")


def test_a_timer_that_cannot_be_is_told_to_the_caller() -> None:
    message = Message(MessageKind.COMMAND, "late-desk", "", "start", b"", correlation_id="c")
    code = ActionCode(descriptor_of(Late), report=lambda message, problem: None)
    reply = asyncio.run(code.run(message, Live()))
    assert reply.failure is not None
    assert (reply.failure.number, reply.failure.message) == (
        "AK2020",
        "cron '0 0 30 2 *' never comes",
    )
