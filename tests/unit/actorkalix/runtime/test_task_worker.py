"""A service's actions in a worker, without Ray: handlers, their calls, what is made once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec
import pytest

from actorkalix import Action, Service, handler
from actorkalix.runtime import task_worker
from actorkalix.runtime.loading import ServiceSpec
from actorkalix.runtime.task_messages import WorkerConfig, message_in, packed, reply_in
from actorkalix.runtime.task_worker import ActionWork, action_work
from actorkalix_cluster.rayhost.errands import HostGone
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply

from .errands import Tally

T = TypeVar("T")
MADE: list[object] = []


class Chores(Action, id="chores"):
    @handler
    async def add(self, tally: str, n: int) -> int:
        return (await self.client.entity(Tally, tally).add(n)).total

    @handler
    def add_plainly(self, tally: str, n: int) -> int:
        return self.client.entity(Tally, tally).add(n).result().total

    @handler
    def thread(self) -> str:
        return threading.current_thread().name

    @handler
    async def made(self) -> int:
        return MADE.index(self.resources)


def make() -> object:
    MADE.append(object())
    return MADE[-1]


service = Service("housekeeping", components=[Chores, Tally], resources=make)


class Bare:
    """In place of the worker."""

    def __init__(self, answer: Callable[[Message], Reply]) -> None:
        self._answer = answer
        self.asked: list[Message] = []

    async def ask(self, text: bytes) -> bytes:
        self.asked.append(message_in(text))
        return packed(self._answer(self.asked[-1]))

    async def on_main(self, fn: Callable[[], T]) -> T:
        return await asyncio.to_thread(fn)


def total(message: Message) -> Reply:
    return Reply(msgspec.msgpack.encode({"total": 5}))


def gone(message: Message) -> Reply:
    raise HostGone("it has ended")


def asked(method: str, **arguments: Any) -> Message:
    return Message(
        MessageKind.COMMAND,
        "chores",
        "",
        method,
        msgspec.json.encode(arguments),
        Encoding.JSON,
        Encoding.JSON,
        "root",
        (),
        "id-1",
        0,
        2,
    )


def run(work: Coroutine[Any, Any, bytes]) -> Reply:
    return reply_in(asyncio.run(work))


@pytest.mark.parametrize("method", ["add", "add_plainly"])
def test_the_calls_of_a_handler_go_to_the_host(method: str) -> None:
    around = Bare(total)
    work = ActionWork(service, around)
    reply = run(work.do(packed(asked(method, tally="t", n=5))))
    assert (reply.payload, reply.failure) == (b"5", None)
    (call,) = around.asked
    assert (call.component, call.entity, call.method) == ("tally", "t", "add")
    assert (call.depth, call.correlation_id) == (3, "id-1")
    assert len(call.key) == 32, "derived from the key of the message"
    assert call.deadline_ms > 0


def test_a_plain_function_runs_where_it_may_block() -> None:
    reply = run(ActionWork(service, Bare(total)).do(packed(asked("thread"))))
    assert reply.payload.startswith(b'"asyncio_')


def test_resources_are_made_once_in_the_process() -> None:
    MADE.clear()
    work = ActionWork(service, Bare(total))

    async def twice() -> list[bytes]:
        return [await work.do(packed(asked("made"))) for _ in range(2)]

    assert [reply_in(each).payload for each in asyncio.run(twice())] == [b"0", b"0"]
    assert len(MADE) == 1


def test_what_a_host_was_asked_that_has_ended_may_have_been_done() -> None:
    reply = run(ActionWork(service, Bare(gone)).do(packed(asked("add", tally="t", n=1))))
    assert reply.failure is not None
    assert (reply.failure.number, reply.failure.outcome) == ("AK3101", "unknown")


def test_it_is_made_from_the_name_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_log() -> None:
        """Log lines of the tests stay where they are."""

    monkeypatch.setattr(task_worker, "log_to_stderr", no_log)
    spec = ServiceSpec(__name__, "service", "")
    work = action_work(msgspec.msgpack.encode(WorkerConfig(spec)), Bare(total))
    assert reply_in(asyncio.run(work.do(packed(asked("thread"))))).failure is None
