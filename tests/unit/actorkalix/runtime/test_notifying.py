"""Streams of what workflows tell: live, in order, whole or failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from actorkalix import (
    ActorkalixError,
    Effect,
    Service,
    StepEffect,
    Workflow,
    command,
    notifications,
    step,
)
from actorkalix.errors import InvalidEffect, NotificationsMissed
from actorkalix.gateway.routes import Found, RouteTable
from actorkalix.limits import NOTES_KEPT_MAX
from actorkalix.runtime import notifying
from actorkalix.testkit import TestService, WorkflowTestKit
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Progress:
    done: int
    what: str = ""


class Tour(Workflow[int], id="tour"):
    """Goes as far as it is told, and says where it is."""

    @notifications
    def progress(self) -> AsyncIterator[Progress]:
        raise NotImplementedError

    @command
    def start(self, stops: int) -> Effect[None]:
        begun = self.effects.update_state(stops).notify(Progress(0, "off"))
        return begun.transition_to(self.go, 1).then_reply(None)

    @command
    def rest(self) -> Effect[None]:
        return self.effects.update_state(0).pause("rest").notify(Progress(-1)).then_reply(None)

    @command
    def wrong(self) -> Effect[None]:
        return self.effects.update_state(0).notify("far").then_reply(None)

    @step
    async def go(self, stop: int) -> StepEffect:
        at = self.effects.update_state(self.state).notify(Progress(stop, "here"))
        at = at.notify(Progress(stop, "and on"))
        return at.end() if stop >= self.state else at.transition_to(self.go, stop + 1)


class Silent(Workflow[int], id="silent"):
    @command
    def start(self) -> Effect[None]:
        return self.effects.update_state(0).notify(1).then_reply(None)


def run(work: Callable[[TestService], Awaitable[None]]) -> None:
    async def go() -> None:
        async with TestService(Service("tours", components=[Tour, Silent])) as running:
            await work(running)

    asyncio.run(go())


class Listener:
    """Writes down what a workflow tells."""

    def __init__(self, running: TestService, resume: str = "") -> None:
        self.running = running
        self.told: list[Reply] = []
        self._task = asyncio.ensure_future(self._listen(resume))

    async def _listen(self, resume: str) -> None:
        message = Message(
            *(MessageKind.QUERY, "tour", "t", "progress", b"", Encoding.MSGPACK, Encoding.JSON),
            resume=resume,
        )
        async for reply in self.running.stream(message):
            self.told.append(reply)

    async def over(self) -> list[str]:
        """All of it, when it is over."""
        while not self._task.done():
            await self.running.advance(SECOND)
        self._task.result()
        return [each.payload.decode() for each in self.told if not each.event]


async def listening(running: TestService, resume: str = "") -> Listener:
    listener = Listener(running, resume)
    while not listener.told:
        await running.advance(SECOND)
    return listener


def test_who_listens_hears_all_in_order_until_the_end() -> None:
    async def work(running: TestService) -> None:
        listener = await listening(running)
        assert listener.told[0].event == notifying.LISTENS
        await running.client.workflow(Tour, "t").start(2)
        assert await listener.over() == [
            *('{"done":0,"what":"off"}', '{"done":1,"what":"here"}', '{"done":1,"what":"and on"}'),
            *('{"done":2,"what":"here"}', '{"done":2,"what":"and on"}'),
        ]
        assert [each.mark for each in listener.told] == ["0", "1.0", "2.0", "2.1", "3.0", "3.1"]

    run(work)


def test_a_stream_begins_now_or_where_its_caller_has_left_it() -> None:  # ES-71
    async def work(running: TestService) -> None:
        tour = running.client.workflow(Tour, "t")
        await tour.rest()
        live, again = await listening(running), await listening(running, "0")
        await tour.start(1)
        first, second = await live.over(), await again.over()
        assert first == second[1:]
        assert second[0].startswith('{"done":-1')
        assert await (await listening(running)).over() == [], "it has ended"
        assert await (await listening(running, "3.0")).over() == ['{"done":1,"what":"and on"}']

    run(work)


def test_a_kill_of_the_host_loses_nothing_of_a_stream_that_goes_on() -> None:
    async def work(running: TestService) -> None:
        tour = running.client.workflow(Tour, "t")
        await tour.rest()
        await running.restart()
        listener = await listening(running, "0")
        await tour.start(3)
        assert len(await listener.over()) == 8

    run(work)


def test_what_was_missed_is_never_hidden(monkeypatch: pytest.MonkeyPatch) -> None:  # ES-72
    async def work(running: TestService) -> None:
        tour = running.client.workflow(Tour, "t")
        await tour.start(NOTES_KEPT_MAX + 10)
        await running.advance(SECOND)
        failure = Listener(running, "1.0")
        assert await failure.over() == [""]
        last = failure.told[-1].failure
        assert last is not None
        assert last.number == NotificationsMissed.number
        refused = Listener(running, "yesterday")
        await refused.over()
        said = refused.told[0].failure
        assert said is not None
        assert "none of this stream's" in said.message

    run(work)


def test_a_client_reads_values() -> None:
    async def work(running: TestService) -> None:
        told: list[Progress] = []

        async def listen() -> None:
            told.extend([each async for each in running.client.workflow(Tour, "t").progress()])

        task = asyncio.ensure_future(listen())
        await running.advance(SECOND)
        await running.client.workflow(Tour, "t").start(1)
        while not task.done():
            await running.advance(SECOND)
        assert told == [Progress(0, "off"), Progress(1, "here"), Progress(1, "and on")]

    run(work)


def test_a_note_of_another_type_and_a_workflow_that_nobody_hears_are_faults() -> None:
    async def work(running: TestService) -> None:
        with pytest.raises(ActorkalixError, match="expected Progress, got str"):
            await running.client.workflow(Tour, "t").wrong()
        with pytest.raises(InvalidEffect, match="no method of it is marked @notifications"):
            await running.client.workflow(Silent, "s").start()

    run(work)


def test_a_get_listens() -> None:
    table = RouteTable(Service("tours", components=[Tour, Silent]).descriptor)
    for verb in ("GET", "POST"):
        found = table.match(verb, b"/tour/t/progress")
        assert isinstance(found, Found)
        assert (found.route.streams, found.route.kind) == (True, MessageKind.QUERY)


def test_so_many_may_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifying, "LISTENERS_MAX", 1)

    async def work(running: TestService) -> None:
        first = await listening(running)
        second = Listener(running)
        await second.over()
        refused = second.told[0].failure
        assert refused is not None
        assert refused.number == "AK3001"
        await running.client.workflow(Tour, "t").start(1)
        await first.over()
        await running.client.workflow(Tour, "t").restart("go")
        await (await listening(running)).over()

    run(work)


def test_the_kit_shows_what_was_told() -> None:
    async def work() -> None:
        kit: WorkflowTestKit[Any, Any] = WorkflowTestKit(Tour)
        kit.call(Tour.start, 1)
        assert kit.notified == [Progress(0, "off")]
        await kit.run()
        assert kit.notified[1:] == [Progress(1, "here"), Progress(1, "and on")]

    asyncio.run(work())
