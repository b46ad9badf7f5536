"""The order of what is ready, and of time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context

import pytest

from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.loop import Scheduling, SimulationLoop
from actorkalix.testkit.simulation.processes import Handle, Process
from actorkalix.testkit.simulation.scheduler import Scheduler


def record(seed: int, scheduling: Scheduling = "seeded") -> list[str]:
    """What 20 tasks do, each some steps and some waits, and plain callbacks between."""
    loop = SimulationLoop(Chance(seed), scheduling)
    lines: list[str] = []

    async def task(number: int) -> None:
        for step in range(5):
            lines.append(f"{loop.now_us} task {number}.{step}")
            loop.call_soon(lines.append, f"plain after {number}.{step}")
            await asyncio.wait([loop.create_task(part(number))], timeout=(number % 3) * 1e-3)

    async def part(number: int) -> None:
        for _ in range(number % 4):
            await yielded()

    async def program() -> None:
        await asyncio.gather(*(task(number) for number in range(20)))

    loop.run_until_complete(program())
    lines.append(f"{loop.steps} steps")
    loop.close()
    return lines


async def yielded() -> None:
    await asyncio.sleep(0)


def test_a_seed_has_one_order() -> None:
    assert record(1) == record(1)
    assert len({tuple(record(seed)) for seed in range(1, 6)}) == 5


def test_without_chance_the_order_is_that_of_asking() -> None:
    assert record(1, "fifo") == record(2, "fifo")
    assert record(1, "fifo")[:20] == [f"0 task {number}.0" for number in range(20)]
    assert record(1) != record(1, "fifo")


def order_of(program: Callable[[SimulationLoop, list[int]], object], seed: int) -> tuple[int, ...]:
    loop = SimulationLoop(Chance(seed))
    order: list[int] = []
    program(loop, order)
    loop.call_later(1, loop.stop)
    loop.run_forever()
    loop.close()
    return tuple(order)


def test_plain_callbacks_run_in_their_order_whatever_tasks_do() -> None:
    def program(loop: SimulationLoop, order: list[int]) -> None:
        async def task() -> None:
            for _ in range(3):
                await yielded()

        for number in range(50):
            loop.call_soon(order.append, number)
            loop.create_task(task()).add_done_callback(str)

    assert all(order_of(program, seed) == tuple(range(50)) for seed in range(5))


def test_steps_of_tasks_overtake_each_other_and_plain_callbacks() -> None:
    def program(loop: SimulationLoop, order: list[int]) -> None:
        async def task(number: int) -> None:
            order.append(number)

        for number in range(2):
            loop.create_task(task(number)).add_done_callback(str)
        loop.call_soon(order.append, 2)

    assert len({order_of(program, seed) for seed in range(100)}) == 6


def test_wake_ups_overtake_each_other_too() -> None:
    def program(loop: SimulationLoop, order: list[int]) -> None:
        futures = [loop.create_future() for _ in range(3)]

        async def task(number: int) -> None:
            await futures[number]
            order.append(number)

        for number in range(3):
            loop.create_task(task(number)).add_done_callback(str)
            loop.call_later(0.5, futures[number].set_result, None)

    assert len({order_of(program, seed) for seed in range(100)}) == 6


def test_asking_a_task_to_end_is_no_step_of_it() -> None:
    def program(loop: SimulationLoop, order: list[int]) -> None:
        task = loop.create_task(yielded())
        loop.call_soon(task.cancel)
        loop.call_soon(lambda: order.append(-1 if task.done() else task.cancelling()))

    assert {order_of(program, seed) for seed in range(50)} == {(1,), (-1,)}


class Bench:
    """A scheduler with calls that note themselves."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.scheduler = Scheduler(Chance(1), self._failed)
        self.process = Process("one", self.scheduler.put_back)
        self.ran: list[tuple[int, object]] = []

    def _failed(self, handle: Handle, error: BaseException) -> None:
        self.failures.append(f"{handle}: {error!r}")

    def handle(self, call: Callable[[], object]) -> Handle:
        return Handle(call, (), copy_context(), self.process)

    def noting(self, name: object) -> Handle:
        return self.handle(lambda: self.ran.append((self.scheduler.now_us, name)))


def test_time_jumps_to_timers_and_those_of_a_microsecond_come_in_the_order_of_asking() -> None:
    bench = Bench()
    for name in range(10):
        bench.scheduler.put_at(5_000, bench.noting(name))
    bench.scheduler.put_at(100, bench.noting("first"))
    bench.scheduler.put_at(0, bench.noting("now"))
    assert bench.scheduler.take_turns(1_000) == "idle"
    assert bench.ran == [(0, "now"), (100, "first"), *((5_000, name) for name in range(10))]
    assert bench.scheduler.steps_taken == 12


def test_what_is_due_comes_before_what_is_asked_for_later() -> None:
    bench = Bench()

    def first() -> None:
        bench.scheduler.put(bench.noting("asked for then"))
        bench.scheduler.put_at(10, bench.noting("due at once"))

    bench.scheduler.put_at(10, bench.handle(first))
    bench.scheduler.put_at(10, bench.noting("due"))
    bench.scheduler.take_turns(1_000)
    assert [name for _, name in bench.ran] == ["due", "asked for then", "due at once"]


def test_cancelled_timers_do_not_move_time() -> None:
    bench = Bench()
    cancelled = bench.noting("never")
    bench.scheduler.put_at(50, cancelled)
    bench.scheduler.put_at(1 << 62, bench.noting("as good as never"))
    cancelled.cancel()
    assert bench.scheduler.take_turns(10) == "idle"
    assert (bench.ran, bench.scheduler.now_us, bench.scheduler.steps_taken) == ([], 0, 0)


def test_a_handle_cancelled_when_it_is_ready_does_not_run() -> None:
    bench = Bench()
    cancelled = bench.noting("never")
    bench.scheduler.put(bench.handle(cancelled.cancel))
    bench.scheduler.put(cancelled)
    assert bench.scheduler.take_turns(10) == "idle"
    assert bench.scheduler.steps_taken == 1


def test_turns_end_at_their_number_or_when_it_is_wished() -> None:
    bench = Bench()
    for name in range(5):
        bench.scheduler.put(bench.noting(name))
    assert bench.scheduler.take_turns(2) == "limit"
    assert len(bench.ran) == 2
    bench.scheduler.stopping = True
    assert bench.scheduler.take_turns(5) == "stopped"
    assert len(bench.ran) == 2
    bench.scheduler.clear()
    bench.scheduler.stopping = False
    assert bench.scheduler.take_turns(5) == "idle"


def test_failures_are_told_and_the_next_runs() -> None:
    bench = Bench()

    def fails() -> None:
        raise ValueError("broken")

    bench.scheduler.put(bench.handle(fails))
    bench.scheduler.put(bench.noting("next"))
    bench.scheduler.take_turns(10)
    assert bench.ran == [(0, "next")]
    assert "fails of one>: ValueError('broken')" in bench.failures[0]


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_the_interpreters_end_is_no_failure(ending: type[BaseException]) -> None:
    bench = Bench()

    def ends() -> None:
        raise ending

    bench.scheduler.put(bench.handle(ends))
    with pytest.raises(ending):
        bench.scheduler.take_turns(10)
    assert bench.failures == []


def test_handles_run_in_their_context() -> None:
    bench = Bench()
    context = Context()
    bench.scheduler.put(Handle(lambda: bench.ran.append((0, 1)), (), context, bench.process))
    bench.scheduler.take_turns(10)
    assert bench.scheduler.last is not None
    assert bench.scheduler.last.get_context() is context
