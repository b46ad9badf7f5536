"""What a handler changed, and how long it held the loop."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.runtime.handling import Noting, Watched
from actorkalix.runtime.virtual import VirtualClock
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.messages import Failure, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.watchdog import Watch
from actorkalix_storage.api import Outcome

COMMAND = Message(MessageKind.COMMAND, "cart", "c", "add")
QUERY = Message(MessageKind.QUERY, "cart", "c", "get")
REFUSED = Reply(failure=Failure("AK2001", "out_of_range", "no"))


class Answering:
    def __init__(self, reply: Reply | None) -> None:
        self._reply = reply

    async def ask(self, message: Message, /) -> Reply:
        if self._reply is None:
            raise ConnectionError("gone")
        return self._reply


def failed(outcome: Outcome) -> Reply:
    return Reply(failure=Failure("AK3001", "unavailable", "busy", outcome))


@pytest.mark.parametrize(
    "message, answer, outcome",
    [
        (None, Reply(), "not_executed"),
        (QUERY, Reply(), "not_executed"),
        (COMMAND, Reply(), "unknown"),
        (COMMAND, REFUSED, "not_executed"),
        (COMMAND, failed("not_executed"), "not_executed"),
        (COMMAND, failed("unknown"), "unknown"),
        (COMMAND, None, "unknown"),
    ],
)
def test_a_refusal_says_what_its_calls_did(
    message: Message | None, answer: Reply | None, outcome: str
) -> None:
    async def case() -> None:
        noting = Noting(Answering(answer))
        if message is not None and answer is None:
            with pytest.raises(ConnectionError):
                await noting.ask(message)
        elif message is not None:
            assert await noting.ask(message) == answer
        found = noting.whole(REFUSED).failure
        assert found is not None
        assert (found.outcome, found.number, found.code) == (outcome, "AK2001", "out_of_range")
        assert noting.whole(Reply(b"1")) == Reply(b"1")

    asyncio.run(case())


def test_a_call_that_is_under_way_may_change_something() -> None:
    async def case() -> None:
        gate = asyncio.Event()

        class Waiting:
            async def ask(self, message: Message, /) -> Reply:
                await gate.wait()
                return REFUSED

        noting = Noting(Waiting())
        asking = asyncio.create_task(noting.ask(COMMAND))
        await asyncio.sleep(0)
        found = noting.whole(REFUSED).failure
        assert found is not None
        assert found.outcome == "unknown"
        gate.set()
        await asking
        assert noting.whole(REFUSED) == REFUSED

    asyncio.run(case())


def test_each_stretch_is_work_on_the_message() -> None:
    async def case() -> None:
        watch, clock, seen = Watch(HostLimits()), VirtualClock(), list[object]()

        async def inner() -> str:
            seen.append(watch.work)
            await asyncio.sleep(0)
            seen.append(watch.work)
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                seen.append(watch.work)
                return "ended"
            return "never"

        async def whole() -> str:
            return await Watched(inner(), COMMAND, watch, clock)

        task = asyncio.create_task(whole())
        for _ in range(3):
            await asyncio.sleep(0)
            assert watch.work is None
        task.cancel()
        assert await task == "ended"
        assert [work[1] for work in seen if isinstance(work, tuple)] == [COMMAND] * 3
        assert len({id(work) for work in seen}) == 3
        assert watch.work is None

    asyncio.run(case())


def test_what_it_raises_is_raised() -> None:
    async def case() -> None:
        async def inner() -> None:
            await asyncio.sleep(0)
            raise ValueError("so it is")

        watch = Watch(HostLimits())
        with pytest.raises(ValueError, match="so it is"):
            await Watched(inner(), COMMAND, watch, VirtualClock())
        assert watch.work is None

    asyncio.run(case())
