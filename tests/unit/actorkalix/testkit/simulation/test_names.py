"""Names have no addresses and no counters of the interpreter."""

from __future__ import annotations

import asyncio
import functools

from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.loop import SimulationLoop
from actorkalix.testkit.simulation.names import line_of_failure, name_of, name_of_task


class Part:
    def work(self) -> None:
        raise ValueError("broken")

    def __call__(self) -> None: ...


async def waits() -> None: ...


def test_callbacks() -> None:
    assert name_of(Part().work) == "Part.work"
    assert name_of(functools.partial(functools.partial(Part().work))) == "Part.work"
    assert name_of(Part()) == "Part"
    assert name_of(None) == "a cancelled call"


def test_tasks() -> None:
    loop = SimulationLoop(Chance(1))
    task = loop.create_task(waits())
    assert name_of_task(task) == "waits"
    assert name_of(task.cancel) == "a step of waits"
    loop.close()


def test_failures() -> None:
    try:
        Part().work()
    except ValueError as error:
        line = line_of_failure({"message": "told", "exception": error, "handle": object()})
        assert line.startswith("told: ValueError: broken (test_names.py:")
    assert line_of_failure({}) == "a failure"
    assert line_of_failure({"message": "m", "exception": OSError("full")}) == "m: OSError: full"


def test_failures_of_tasks() -> None:
    loop = SimulationLoop(Chance(1))
    process = loop.process("host 1")

    async def program() -> None:
        loop.spawn(process, asyncio.wait_for(loop.create_future(), 1)).add_done_callback(str)

    loop.run_until_complete(program())
    loop.call_later(2, loop.stop)
    loop.run_forever()
    assert len(loop.problems) == 1
    assert loop.problems[0].startswith(
        "Task exception was never retrieved: host 1/2, wait_for: TimeoutError ("
    )
    loop.close()
