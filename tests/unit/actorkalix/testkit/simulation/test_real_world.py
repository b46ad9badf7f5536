"""Everything that an event loop can do is done on virtual time, or refused by name."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.loop import SimulationLoop
from actorkalix.testkit.simulation.real_world import RealWorld, SealedLoop


@pytest.fixture
def loop() -> Iterator[SimulationLoop]:
    loop = SimulationLoop(Chance(1))
    yield loop
    loop.close()


@pytest.mark.parametrize(
    "call",
    [
        *("run_in_executor", "create_connection", "create_server", "create_datagram_endpoint"),
        *("sock_recv", "sock_sendall", "subprocess_exec", "subprocess_shell", "add_reader"),
        *("add_signal_handler", "getaddrinfo", "set_task_factory", "connect_read_pipe"),
    ],
)
def test_what_reaches_out_raises_by_name(loop: SimulationLoop, call: str) -> None:
    with pytest.raises(RealWorld, match=rf"loop\.{call} reaches the real world") as caught:
        getattr(loop, call)(None, None)
    assert caught.value.call == call


def test_nothing_of_asyncio_is_left_open() -> None:
    # What is neither refused nor written here would raise NotImplementedError, without a word why.
    ours = {name for each in (SealedLoop, SimulationLoop) for name in vars(each)}
    theirs = {name for name in vars(asyncio.AbstractEventLoop) if not name.startswith("_")}
    assert theirs - ours == set()


@pytest.mark.parametrize(
    "reach,call",
    [
        (lambda: asyncio.to_thread(print), "run_in_executor"),
        (lambda: asyncio.open_connection("localhost", 1), "create_connection"),
        (lambda: asyncio.create_subprocess_exec("true"), "subprocess_exec"),
    ],
)
def test_ways_of_asyncio_to_get_out_are_closed(
    loop: SimulationLoop, reach: Callable[[], asyncio.Future[None]], call: str
) -> None:
    async def program() -> None:
        await reach()

    with pytest.raises(RealWorld, match=call):
        loop.run_until_complete(program())


def test_other_threads_are_refused(loop: SimulationLoop) -> None:
    caught: list[RuntimeError] = []

    def elsewhere() -> None:
        try:
            loop.call_soon_threadsafe(print)
        except RealWorld as error:
            caught.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "call_soon_threadsafe, from another thread" in str(caught[0])


def test_the_loops_own_thread_may_call_as_if_from_another(loop: SimulationLoop) -> None:
    async def program() -> bool:
        called = asyncio.Event()
        loop.call_soon_threadsafe(called.set)
        return await called.wait()

    assert loop.run_until_complete(program())


def factory_of(loop: asyncio.AbstractEventLoop) -> object:
    return loop.get_task_factory()


def test_debug_stays_off(loop: SimulationLoop) -> None:
    loop.set_debug(True)
    assert not loop.get_debug()
    assert factory_of(loop) is None
