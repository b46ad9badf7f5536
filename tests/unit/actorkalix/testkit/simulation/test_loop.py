"""The loop: virtual time, its ends, and what nobody looked at."""

from __future__ import annotations

import asyncio
import gc
import itertools
from asyncio import sleep as virtual_sleep  # of the simulation's loop
from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any

import pytest

from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.loop import Deadlock, Livelock, SimulationLoop


@pytest.fixture(params=["seeded", "fifo"])
def loop(request: pytest.FixtureRequest) -> Iterator[SimulationLoop]:
    loop = SimulationLoop(Chance(1), request.param)
    yield loop
    loop.close()
    gc.collect()


def test_time_passes_only_by_waiting(loop: SimulationLoop) -> None:
    async def program() -> list[float]:
        times = [loop.time()]
        for _ in range(100):
            await virtual_sleep(0)
        times.append(loop.time())
        await virtual_sleep(3_600)
        times.append(loop.time())
        return times

    assert loop.run_until_complete(program()) == [0, 0, 3_600]
    assert loop.now_us == 3_600_000_000
    assert loop.steps > 100


@pytest.mark.parametrize(
    "delay,us",
    [
        (0, 0),
        (-1, 0),
        (1e-9, 1),
        (1e-6, 1),
        (0.1 + 0.2, 300_000),
        (0.00000101, 2),
        (0.0123, 12_300),
    ],
)
def test_delays_are_rounded_up(loop: SimulationLoop, delay: float, us: int) -> None:
    times: list[int] = []
    loop.call_later(delay, lambda: times.append(loop.now_us))
    loop.call_later(1, loop.stop)
    loop.run_forever()
    assert times == [us]


def test_who_waits_until_a_time_is_not_early(loop: SimulationLoop) -> None:
    async def program() -> None:
        deadline = loop.time() + 0.1 + 0.2
        for _ in range(10):
            if loop.time() >= deadline:
                return
            await virtual_sleep(deadline - loop.time())
        raise AssertionError("time does not reach the deadline")

    loop.run_until_complete(program(), steps_max=200)
    reached: list[float] = []
    loop.call_at(0.5, lambda: reached.append(loop.time()))
    loop.call_at(0.1, lambda: reached.append(loop.time()))  # has passed
    loop.call_at_us(loop.now_us + 7, lambda: reached.append(loop.time()))
    loop.call_later(1, loop.stop)
    loop.run_forever()
    assert reached == [0.300001, 0.300008, 0.5]  # 0.1 + 0.2 is more than 0.3


def test_waiting_for_what_never_comes_is_a_deadlock(loop: SimulationLoop) -> None:
    process = loop.process("host 1")
    paused = loop.process("host 2")
    dead = loop.process("host 3")

    async def waits_in_vain() -> None:
        await loop.create_future()

    async def program() -> None:
        for each in (process, paused, dead):
            loop.spawn(each, waits_in_vain()).add_done_callback(str)
        await virtual_sleep(0.001)
        paused.pause()
        dead.kill()
        await asyncio.Event().wait()

    with pytest.raises(Deadlock) as caught:
        loop.run_until_complete(program())
    text = str(caught.value)
    assert text.startswith("nothing is left to run at 1,000 us, and no timer; tasks that wait: ")
    assert "program" in text
    assert "host 1: test_waiting" in text
    assert "host 2 (paused): test_waiting" in text
    assert "host 3" not in text


def test_a_deadlock_names_the_first_of_many(loop: SimulationLoop) -> None:
    async def program() -> None:
        await asyncio.gather(*(loop.create_future(), *(asyncio.Event().wait() for _ in range(30))))

    with pytest.raises(Deadlock, match=r"(world: Event\.wait, ){19}and 11 more"):
        loop.run_until_complete(program())


def test_going_on_forever_is_a_livelock(loop: SimulationLoop) -> None:
    async def turns() -> None:
        for _ in itertools.count():
            await virtual_sleep(0)

    with pytest.raises(
        Livelock, match=r"no end after 1,000 steps, at 0 us; .*world: a step of .*t"
    ):
        loop.run_until_complete(turns(), steps_max=1_000)
    assert loop.steps == 1_000


def test_the_end_may_come_in_the_last_step(loop: SimulationLoop) -> None:
    async def program() -> None:
        for _ in range(50):
            await virtual_sleep(0)

    loop.run_until_complete(program())
    steps = loop.steps
    loop.run_until_complete(program(), steps_max=steps)
    with pytest.raises(Livelock):
        loop.run_until_complete(program(), steps_max=steps - 1)


def test_results_and_errors_are_given_back(loop: SimulationLoop) -> None:
    async def fails() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        loop.run_until_complete(fails())
    future = loop.create_future()
    loop.call_later(1, future.set_result, 5)
    assert loop.run_until_complete(future) == 5
    assert loop.problems == []


def test_a_stopped_loop_says_so(loop: SimulationLoop) -> None:
    loop.call_later(1, loop.stop)
    with pytest.raises(RuntimeError, match="stopped before its future was done"):
        loop.run_until_complete(loop.create_future())
    assert loop.run_until_complete(virtual_sleep(1, "goes on")) == "goes on"


def test_failures_that_nobody_looks_at_are_problems(loop: SimulationLoop) -> None:
    async def fails() -> None:
        raise ValueError("in a task")

    def fails_too() -> None:
        raise ValueError("in a callback")

    async def program() -> None:
        loop.create_task(fails(), name="the task").add_done_callback(str)
        loop.call_soon(fails_too)
        loop.create_future().set_exception(ValueError("in a future"))
        await virtual_sleep(1)

    loop.run_until_complete(program())
    assert len(loop.problems) == 3
    told = "; ".join(loop.problems)
    assert "Task exception was never retrieved: the task, " in told
    assert "fails: ValueError: in a task (test_loop.py:" in told
    assert "fails_too failed: ValueError: in a callback (test_loop.py:" in told
    assert "Future exception was never retrieved: ValueError: in a future" in told


def test_a_handler_of_failures_gets_them(loop: SimulationLoop) -> None:
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    assert loop.get_exception_handler() is not None
    loop.call_soon(int, "no number")
    loop.run_until_complete(virtual_sleep(1))
    assert isinstance(told[0]["exception"], ValueError)
    assert loop.problems == []
    loop.set_exception_handler(None)
    loop.call_exception_handler({"message": "seen"})
    assert loop.problems == ["seen"]


def test_names_of_tasks_are_of_this_loop_alone(loop: SimulationLoop) -> None:
    async def name() -> str:
        task = asyncio.current_task()
        assert task is not None
        return task.get_name()

    assert loop.run_until_complete(name()) == "world/1"
    assert loop.run_until_complete(loop.spawn(loop.process("host"), name())) == "host/2"
    assert loop.run_until_complete(loop.create_task(name(), name="mine")) == "mine"


def test_async_generators_that_are_left_are_closed_on_the_loop(loop: SimulationLoop) -> None:
    closed: list[str] = []

    async def numbers(name: str) -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
        finally:
            await virtual_sleep(0.001)
            closed.append(name)

    async def program() -> AsyncGenerator[int, None]:
        async for _ in numbers("left"):
            break
        await virtual_sleep(0.01)
        kept = numbers("kept")
        await anext(kept)
        return kept

    kept = loop.run_until_complete(program())
    assert closed == ["left"]
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert closed == ["left", "kept"]
    del kept


def test_async_generators_that_are_left_after_the_end_are_not_run(loop: SimulationLoop) -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            raise AssertionError("the end had come")

    async def program() -> AsyncGenerator[int, None]:
        begun = numbers()
        await anext(begun)
        return begun

    begun = loop.run_until_complete(program())
    loop.close()
    del begun
    assert loop.world.tasks == []


def test_a_closed_loop_does_nothing(loop: SimulationLoop) -> None:
    loop.close()
    loop.close()
    assert loop.is_closed()
    called: list[int] = []
    loop.call_soon(called.append, 1)
    loop.call_later(0, called.append, 1)
    loop.call_exception_handler({"message": "nobody listens"})
    waits = virtual_sleep(1)
    with pytest.raises(RuntimeError, match="the simulation is over"):
        loop.run_until_complete(waits)
    waits.close()
    assert (called, loop.problems) == ([], [])


def test_a_loop_runs_once_at_a_time(loop: SimulationLoop) -> None:
    async def program() -> None:
        assert loop.is_running()
        with pytest.raises(RuntimeError, match="from within an event loop"):
            loop.run_forever()
        with pytest.raises(RuntimeError, match="that runs cannot be closed"):
            loop.close()

    loop.run_until_complete(program())
    assert not loop.is_running()


def test_a_generator_is_refused(loop: SimulationLoop) -> None:
    def generator() -> Generator[None, None, None]:
        yield

    with pytest.raises(TypeError, match="async def"):
        loop.run_until_complete(generator())
