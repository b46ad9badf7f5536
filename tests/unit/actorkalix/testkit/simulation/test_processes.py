"""Processes pause, go on, and die without a word."""

from __future__ import annotations

import asyncio
import gc
from asyncio import sleep as virtual_sleep  # of the simulation's loop
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

import pytest

from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.loop import Scheduling, SimulationLoop
from actorkalix.testkit.simulation.processes import PROCESS, Process, bury


class Stage:
    """A loop, two processes of it, and what was noted."""

    def __init__(self, scheduling: Scheduling = "seeded") -> None:
        self.loop = SimulationLoop(Chance(1), scheduling)
        self.one = self.loop.process("one")
        self.other = self.loop.process("other")
        self.noted: list[str] = []

    def note(self, text: str) -> None:
        process = PROCESS.get(self.loop.world).name
        self.noted.append(f"{self.loop.now_us // 1000} {process}: {text}")

    async def ticks(self, every_ms: int, count: int) -> None:
        for number in range(count):
            self.note(f"tick {number}")
            await virtual_sleep(every_ms / 1000)

    def until(self, ms: int) -> None:
        self.loop.run_until_complete(virtual_sleep(ms / 1000 - self.loop.time()))


@pytest.fixture(params=["seeded", "fifo"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    stage = Stage(request.param)
    yield stage
    stage.loop.close()
    gc.collect()  # a task that was lost would say so here


def start(stage: Stage, process: Process, work: Awaitable[None]) -> None:
    async def run() -> None:
        await work

    stage.loop.spawn(process, run()).add_done_callback(str)


def test_all_that_is_started_in_a_process_belongs_to_it(stage: Stage) -> None:
    loop = stage.loop

    async def parent() -> None:
        await asyncio.gather(child(), child())
        loop.call_later(0.001, stage.note, "timer")
        loop.call_soon(stage.note, "soon")
        woken = loop.create_future()
        woken.add_done_callback(lambda _: stage.note("callback"))
        loop.world_later(2_000, woken.set_result, None)
        loop.world_later(2_000, stage.note, "on behalf of the world")
        await woken

    async def child() -> None:
        stage.note("child")

    start(stage, stage.one, parent())
    stage.until(10)
    ones = ["child", "child", "soon", "timer", "callback"]
    assert [line.split(": ")[1] for line in stage.noted if " one: " in line] == ones
    assert stage.noted.count("2 world: on behalf of the world") == 1


def test_what_is_called_at_once_belongs_to_the_process_too(stage: Stage) -> None:
    def construct(text: str) -> str:
        stage.loop.call_soon(stage.note, text)
        return text

    assert stage.one.run(construct, "made") == "made"
    stage.until(1)
    assert stage.noted == ["0 one: made"]


def test_processes_share_no_context(stage: Stage) -> None:
    seen: list[Process] = []
    stage.one.run(
        stage.loop.call_in, stage.other, lambda: seen.append(PROCESS.get(stage.loop.world))
    )
    stage.one.context().run(PROCESS.set, stage.other)
    stage.loop.call_in(stage.one, lambda: seen.append(PROCESS.get(stage.loop.world)))
    stage.until(1)
    assert seen == [stage.other, stage.one]


def test_a_paused_process_stands_still_while_time_goes_on(stage: Stage) -> None:
    start(stage, stage.one, stage.ticks(10, 5))
    start(stage, stage.other, stage.ticks(10, 5))
    stage.until(15)
    stage.one.pause()
    assert (stage.one.alive, stage.one.paused, stage.one.runs) == (True, True, False)
    stage.until(35)
    assert [line for line in stage.noted if "one" in line] == ["0 one: tick 0", "10 one: tick 1"]
    assert "30 other: tick 3" in stage.noted
    stage.one.resume()
    stage.until(100)
    ones = [line for line in stage.noted if "one" in line]
    assert ones[2:] == ["35 one: tick 2", "45 one: tick 3", "55 one: tick 4"]


def test_what_was_put_aside_runs_in_its_order(stage: Stage) -> None:
    loop = stage.loop
    for number in range(3):
        loop.call_in(stage.one, stage.note, f"ready {number}")
        stage.one.run(loop.call_later, 0.005 - number / 1000, stage.note, f"timer {number}")
    stage.one.pause()
    stage.until(10)
    loop.call_in(stage.one, stage.note, "last")
    stage.one.resume()
    stage.until(11)
    texts = [line.split(": ")[1] for line in stage.noted]
    readies = ["ready 0", "ready 1", "ready 2"]
    assert texts == [*readies, "timer 2", "timer 1", "timer 0", "last"]


def test_a_resume_before_its_turn_keeps_the_order(stage: Stage) -> None:
    loop = stage.loop
    loop.call_soon(stage.one.pause)
    loop.call_in(stage.one, stage.note, "first")  # is put aside before the resume
    loop.call_soon(stage.one.resume)
    loop.call_in(stage.one, stage.note, "second")
    stage.until(1)
    assert stage.noted == ["0 one: first", "0 one: second"]


def test_resuming_what_is_not_paused_does_nothing(stage: Stage) -> None:
    stage.one.resume()
    stage.other.kill()
    stage.other.resume()
    assert (stage.one.runs, stage.other.runs) == (True, False)


def test_a_dead_process_runs_nothing(stage: Stage) -> None:
    loop = stage.loop
    start(stage, stage.one, stage.ticks(10, 5))
    stage.one.run(loop.call_later, 0.012, stage.note, "timer")
    stage.until(11)
    loop.call_in(stage.one, stage.note, "ready")
    stage.one.kill()
    loop.call_in(stage.one, stage.note, "called when dead")
    start(stage, stage.one, stage.ticks(10, 5))
    stage.until(100)
    assert stage.noted == ["0 one: tick 0", "10 one: tick 1"]
    assert (stage.one.alive, stage.one.paused, stage.one.runs) == (False, False, False)
    assert loop.problems == []


def test_timers_of_the_dead_do_not_move_time(stage: Stage) -> None:
    stage.one.run(stage.loop.call_later, 5, stage.note, "never")
    stage.one.kill()
    with pytest.raises(RuntimeError, match="at 0 us"):
        stage.loop.run_forever()


def test_no_finally_block_of_the_dead_runs_before_the_end(stage: Stage) -> None:
    ends: list[str] = []

    async def cleans_up(wait: Callable[[], Awaitable[object]]) -> None:
        try:
            await wait()
        finally:
            ends.append("finally")
            stage.loop.call_soon(ends.append, "called by it")
            stage.loop.call_later(0, ends.append, "called by it later")
            answer.set_result(None)

    answer = stage.loop.create_future()
    answer.add_done_callback(lambda _: ends.append("woken by it"))
    question = stage.loop.create_future()
    start(stage, stage.one, cleans_up(lambda: question))
    stage.until(1)
    stage.one.kill()
    question.set_result(None)
    gc.collect()
    stage.until(100)
    assert ends == []
    stage.loop.close()
    assert ends == ["finally"]


def test_the_end_is_silent_whatever_waits(stage: Stage) -> None:
    loop = stage.loop

    async def never() -> None:
        await loop.create_future()

    async def stubborn() -> None:
        try:
            await loop.create_future()
        finally:
            try:
                await loop.create_future()
            finally:
                await loop.create_future()

    async def outer() -> None:
        try:
            await stubborn()
        finally:
            await stubborn()

    async def starts_more() -> None:
        try:
            await loop.create_future()
        finally:
            loop.create_task(starts_more()).add_done_callback(str)

    async def groups() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(never()).add_done_callback(str)
            await asyncio.wait_for(asyncio.shield(never()), 5)

    async def iterates() -> None:
        async for _ in numbers():
            await loop.create_future()

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            raise AssertionError("an async generator was closed")

    async def fails() -> None:
        raise ValueError("nobody is there to see it")

    async def program() -> None:
        for each in (never, stubborn, outer, starts_more, groups, iterates, fails):
            start(stage, stage.one, each())
        await virtual_sleep(0.001)
        loop.call_in(stage.one, start, stage, stage.one, fails())
        stage.one.kill()
        start(stage, stage.one, never())  # which never begins, nor does what it was to await
        start(stage, stage.other, never())

    loop.run_until_complete(program())
    gc.collect()
    assert len(loop.problems) == 1 and "ValueError: nobody is there" in loop.problems[0]
    loop.close()
    gc.collect()
    assert len(loop.problems) == 1


def test_who_kills_the_process_it_runs_in_comes_to_nothing(stage: Stage) -> None:
    class Killed(BaseException):
        pass

    third = stage.loop.process("third")

    def dies() -> None:
        PROCESS.get().kill()
        raise Killed

    async def task() -> None:
        stage.loop.call_soon(stage.note, "never")
        dies()

    stage.loop.call_in(stage.one, dies)
    stage.loop.call_in(stage.one, dies)
    stage.loop.spawn(third, task()).add_done_callback(str)
    third.on_kill = lambda: stage.note("killed")
    stage.until(1)
    assert stage.loop.problems == []
    stage.loop.close()
    assert stage.noted == ["0 third: killed"]


def test_a_kill_is_told_once(stage: Stage) -> None:
    stage.one.on_kill = lambda: stage.note(f"killed, alive: {stage.one.alive}")
    stage.one.pause()
    stage.one.kill()
    stage.one.kill()
    assert stage.noted == ["0 world: killed, alive: False"]
    assert repr(stage.one) == "<process one: dead>"
    assert repr(stage.other) == "<process other: runs>"


def test_tasks_that_are_done_are_let_go(stage: Stage) -> None:
    async def short() -> None:
        await virtual_sleep(0.001)

    async def program() -> None:
        waiting = loop.create_task(stage.ticks(1, 2_000))
        for _ in range(1_000):
            await loop.create_task(short())
        assert len(loop.world.tasks) < 200
        assert waiting in loop.world.tasks
        waiting.cancel()

    loop = stage.loop
    loop.run_until_complete(program())


def test_a_coroutine_that_cannot_be_closed_is_named() -> None:
    loop = SimulationLoop(Chance(1))
    process = loop.process("one")
    mortal = False

    async def immortal() -> None:
        while not mortal:
            try:
                await loop.create_future()
            except GeneratorExit:
                continue

    task = loop.spawn(process, immortal())
    loop.call_later(1, loop.stop)
    loop.run_forever()
    loop.close()
    assert len(loop.problems) == 1
    assert "immortal awaits on its way out, forever" in loop.problems[0]
    mortal = True
    process.tasks.append(task)
    assert bury([process]) == []


def test_handles_are_what_asyncio_takes_them_for() -> None:
    loop = SimulationLoop(Chance(1))
    handle = loop.call_later(1.5, print)
    assert handle.when() == 1.5
    assert not handle.cancelled()
    assert repr(handle) == "<print of world>"
    assert {handle: 1}[handle] == 1
    assert handle != loop.call_later(1.5, print)
    handle.cancel()
    assert handle.cancelled()
    assert repr(handle) == "<a cancelled call of world>"
    loop.close()
