"""Publishing together: what leaves as one, and what each publisher is told."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix.engine.topic import (
    PUBLISH,
    TOPIC,
    Published,
    TopicBehavior,
    TopicMessage,
    publish_order,
    read_published,
)
from actorkalix.engine.topic_parts import parts_of
from actorkalix.limits import POSTED_BYTES_MAX, POSTED_MAX, Limits
from actorkalix.runtime.in_process import LoneHost
from actorkalix.runtime.posting import Posting
from actorkalix.runtime.virtual import VirtualClock, settle
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.asked import Asked
from actorkalix_cluster.shardhost.committer import InlineCommitter
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.messages import Failure, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.ticket import Tell
from actorkalix_storage.api import StoreIdentity
from actorkalix_storage.memorystore import MemoryStore


def order(id: str = "", *, partition: int = 0, size: int = 1, deadline_ms: int = 0) -> Message:
    made = TopicMessage("T", "s", id, "here", "text/plain", (), b"x" * size)
    message = publish_order("orders", made, 1)
    return msgspec.structs.replace(message, entity=f"orders/{partition}", deadline_ms=deadline_ms)


class Held:
    """`Asking` that answers when it is told to."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.open: list[tuple[Message, Tell]] = []
        self.dropped: list[Asked] = []
        self.numbers: dict[str, int] = {}
        self.at_once: Failure | None = None

    async def ask(self, message: Message, /) -> Reply:
        self.sent.append(message)
        return Reply(b"asked")

    def begin(self, message: Message, tell: Tell, /) -> Reply | Asked:
        self.sent.append(message)
        if self.at_once is not None:
            return Reply(failure=self.at_once)
        self.open.append((message, tell))
        return Asked(tell)

    def drop(self, asked: Asked, /) -> None:
        self.dropped.append(asked)

    def answer(self, at: int = 0) -> None:
        """As a partition would."""
        message, tell = self.open.pop(at)
        count = 1 if message.method == PUBLISH else len(parts_of(message))
        first = self.numbers.get(message.entity, 0) + 1
        self.numbers[message.entity] = first + count - 1
        tell(Reply(msgspec.msgpack.encode((0, first))))

    def refuse(self, failure: Failure) -> None:
        """The oldest."""
        self.open.pop(0)[1](Reply(failure=failure))

    @property
    def counts(self) -> list[int]:
        """How many messages each that was sent has."""
        return [1 if one.method == PUBLISH else len(parts_of(one)) for one in self.sent]


class Rig:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.actors = Held()
        self.posting = Posting(self.actors, self.clock)

    def ask(self, *messages: Message) -> list[asyncio.Task[Reply]]:
        return [asyncio.create_task(self.posting.ask(message)) for message in messages]


def run(case: Coroutine[Any, Any, None]) -> None:
    asyncio.run(case)


def numbers(tasks: list[asyncio.Task[Reply]]) -> list[int]:
    return [read_published(task.result().payload).number for task in tasks]


def failure_of(task: asyncio.Task[Reply]) -> Failure:
    failure = task.result().failure
    assert failure is not None
    return failure


def test_those_of_one_turn_leave_together() -> None:
    async def case() -> None:
        r = Rig()
        one, two, other = r.ask(order("a"), order("b"), order("c", partition=1))
        await settle()
        assert r.actors.counts == [2, 1]
        r.actors.answer(1)
        r.actors.answer(0)
        await settle()
        assert numbers([one, two, other]) == [1, 2, 1]

    run(case())


def test_those_that_come_meanwhile_leave_next() -> None:
    async def case() -> None:
        r = Rig()
        tasks = r.ask(order("a"))
        await settle()
        tasks += r.ask(order("b"), order("c"))
        await settle()
        assert r.actors.counts == [1], "one at a time for a partition"
        r.actors.answer()
        await settle()
        assert r.actors.counts == [1, 2]
        r.actors.answer()
        await settle()
        assert numbers(tasks) == [1, 2, 3]
        assert not r.posting._lines

    run(case())


def test_what_leaves_together_is_bounded_and_of_ids_that_differ() -> None:
    async def case() -> None:
        r = Rig()
        orders = [order() for _ in range(POSTED_MAX + 1)]
        half = POSTED_BYTES_MAX * 2 // 3
        orders += [order(size=half), order("a", size=half), order("a"), order("b")]
        tasks = r.ask(*orders)
        await settle()
        while r.actors.open:
            r.actors.answer()
            await settle()
        assert r.actors.counts == [POSTED_MAX, 2, 1, 2], "the count, the size, an id twice"
        assert numbers(tasks) == list(range(1, len(orders) + 1))

    run(case())


@pytest.mark.parametrize("number", ["AK2006", "AK3006"])
def test_one_in_the_way_of_others_is_sent_alone(number: str) -> None:
    async def case() -> None:
        r = Rig()
        tasks = r.ask(order("a"), order("b"), order("c"))
        await settle()
        later = r.ask(order("d"))
        r.actors.refuse(Failure(number, "aborted", "one of them"))
        await settle()
        r.actors.answer()
        await settle()
        r.actors.refuse(Failure(number, "aborted", "this one"))
        await settle()
        r.actors.answer()
        await settle()
        assert [one.key for one in r.actors.sent[1:4]] == ["a", "b", "c"], "in their order"
        assert numbers([tasks[0], tasks[2]]) == [1, 2]
        assert failure_of(tasks[1]).message == "this one"
        assert r.actors.sent[-1].key == "d", "and not before"
        r.actors.answer()
        await settle()
        assert numbers(later) == [3]

    run(case())


@pytest.mark.parametrize(
    "failure", [failures.owner_away(1), failures.outcome_unknown("?"), failures.deadline_passed()]
)
def test_any_other_failure_is_everyones(failure: Failure) -> None:
    async def case() -> None:
        for at_once in (True, False):
            r = Rig()
            r.actors.at_once = failure if at_once else None
            tasks = r.ask(order("a"), order("b"))
            await settle()
            if not at_once:
                r.actors.refuse(failure)
                await settle()
            assert [failure_of(task) for task in tasks] == [failure, failure]
            assert r.actors.counts == [2]
            assert not r.posting._lines

    run(case())


def test_one_that_is_dropped_before_it_has_left_never_leaves() -> None:
    async def case() -> None:
        r = Rig()
        (before,) = r.ask(order())
        await settle()
        first, gone, last = r.ask(order("a"), order("b"), order("c"))
        await settle()
        gone.cancel()
        await settle()
        r.actors.answer()
        await settle()
        assert [part.key for part in parts_of(r.actors.sent[1])] == ["a", "c"]
        last.cancel()  # on its way: it runs to its end
        await settle()
        r.actors.answer()
        await settle()
        assert numbers([before, first]) == [1, 2]
        assert r.actors.dropped == []

    run(case())


def test_one_that_is_alone_is_dropped_where_it_is() -> None:
    async def case() -> None:
        r = Rig()
        (task,) = r.ask(order("a"))
        await settle()
        (later,) = r.ask(order("b"))
        task.cancel()
        await settle()
        assert len(r.actors.dropped) == 1
        assert r.actors.sent[-1].key == "b", "it holds up nobody"
        r.actors.open.pop(0)
        r.actors.answer()
        await settle()
        assert numbers([later]) == [1]
        assert not r.posting._lines

    run(case())


def test_each_waits_until_its_own_deadline() -> None:
    async def case() -> None:
        r = Rig()
        now_ms = r.clock.now_ms()
        soon, late, none = r.ask(
            order("a", deadline_ms=now_ms + 100),
            order("b", deadline_ms=now_ms + 300),
            order("c"),
        )
        await settle()
        assert r.actors.sent[0].deadline_ms == 0
        waits = r.ask(order("d", deadline_ms=now_ms + 200))
        await r.clock.advance(150, lambda: False)
        await settle()
        assert failure_of(soon).outcome == "unknown"
        assert not late.done()
        await r.clock.advance(100, lambda: False)
        await settle()
        assert (failure_of(waits[0]).number, late.done()) == ("AK3005", False)
        await r.clock.advance(100, lambda: False)
        await settle()
        assert failure_of(late).outcome == "unknown"
        assert not none.done()
        r.actors.answer()
        await settle()
        assert numbers([none]) == [3]
        assert r.actors.counts == [3], "what was too late to leave has not left"
        assert not r.posting._lines

    run(case())


def test_all_have_the_latest_of_their_deadlines() -> None:
    async def case() -> None:
        r = Rig()
        now_ms = r.clock.now_ms()
        tasks = r.ask(*(order(deadline_ms=now_ms + wait_ms) for wait_ms in (500, 900, 700)))
        await settle()
        assert r.actors.sent[0].deadline_ms == now_ms + 900
        r.actors.answer()
        await settle()
        assert numbers(tasks) == [1, 2, 3]

    run(case())


def test_anything_else_goes_on_as_it_is() -> None:
    async def case() -> None:
        r = Rig()
        message = Message(MessageKind.COMMAND, "counter", "a", "publish")
        assert (await r.posting.ask(message)).payload == b"asked"
        asked = r.posting.begin(message, lambda reply: None)
        assert isinstance(asked, Asked)
        r.posting.drop(asked)
        assert r.actors.sent == [message, message]
        assert r.actors.dropped == [asked]

    run(case())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["", "a", "b", "c", "d"]), st.integers(0, 2), st.booleans()),
        max_size=40,
    )
)
def test_a_topic_is_as_if_each_had_come_alone(
    published: list[tuple[str, int, bool]],
) -> None:
    """By id once; in the order of publishing; every reply is where the message stands."""

    async def case() -> None:
        store = MemoryStore(StoreIdentity("0" * 32, "t", 0, 16, lineage=1))
        host = ShardHost(
            store,
            {TOPIC: TopicBehavior(Limits(event_bytes_max=1_000))},
            clock=VirtualClock(),
            limits=HostLimits(),
            committer=InlineCommitter(store),
        )
        await host.start()
        posting = Posting(LoneHost(host), VirtualClock())
        tasks: list[asyncio.Task[Reply]] = []
        for name, turns, too_large in published:
            size = 2_000 if too_large else 1
            tasks.append(asyncio.create_task(posting.ask(order(name, size=size))))
            for _ in range(turns):
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        places: dict[str, Published] = {}
        number = 0
        for (name, _, too_large), task in zip(published, tasks, strict=True):
            reply = task.result()
            if name in places:
                assert read_published(reply.payload) == places[name]
            elif too_large:
                assert failure_of(task).number == "AK2006"
            else:
                number += 1
                assert read_published(reply.payload) == Published(0, number)
                if name:
                    places[name] = Published(0, number)
        await host.stop()

    run(case())
