"""A host's actor with nothing but a pool of tasks, and what its workers do; for `test_tasks`."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import uvloop

from actorkalix_cluster.rayhost import tasks
from actorkalix_cluster.rayhost.actors import Making
from actorkalix_cluster.rayhost.batching import Answer, Item, Outcome
from actorkalix_cluster.rayhost.contract import Answered
from actorkalix_cluster.rayhost.errands import Around, Crew
from actorkalix_cluster.rayhost.launch import module
from actorkalix_cluster.rayhost.tasks import TaskOptions, TaskPool

NAME = "task-host"
NAMESPACE = "actorkalix"
WAIT_S = 30.0


class Works:
    """In a worker: does what it is told, and says where it is."""

    def __init__(self, config: bytes, around: Around) -> None:
        self._around = around

    async def do(self, work: bytes) -> bytes:
        """As the work says."""
        what, _, rest = work.decode().partition(" ")
        match what:
            case "pid":
                return str(os.getpid()).encode()
            case "variable":
                return os.environ.get(rest, "").encode()
            case "resources":
                context: Any = module("ray").get_runtime_context()
                return repr(sorted(context.get_assigned_resources().items())).encode()
            case "nest" if int(rest):
                return await self._around.ask(f"do nest {int(rest) - 1}".encode())
            case "gate":
                await self._around.ask(f"at {rest} {os.getpid()}".encode())
                await self._around.ask(f"gate {rest}".encode())
            case "hang":
                await self._around.ask(f"at {rest} {os.getpid()}".encode())
                await asyncio.get_running_loop().create_future()
            case "block":
                await self._around.ask(f"at {rest} {os.getpid()}".encode())
                await self._around.on_main(block)
            case "spin":
                await self._around.ask(f"at {rest} {os.getpid()}".encode())
                await self._around.on_main(spin)
            case _:
                return work
        return work


def spin() -> None:
    """Works until it is interrupted."""
    while True:
        time.sleep(0.01)


class Pool:
    """The pool with what its works ask, on the loop of the host."""

    def __init__(self, scratch: str, slots: int, options: list[TaskOptions]) -> None:
        making = Making("test/", NAMESPACE, scratch, f"{scratch}/nobody", b"?" * 32)
        crew = Crew("tests.ray.task_host:Works", b"", making)
        self.tasks = TaskPool(
            crew, options, slots=slots, queue_max=100, depth_max=8, answer=self._answer, name="test"
        )
        self.places: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.outcomes: queue.SimpleQueue[tuple[str, Outcome]] = queue.SimpleQueue()
        self._gates: dict[str, asyncio.Event] = {}
        self._items: dict[str, Item] = {}

    async def submit(self, works: list[str], depth: int, retries: int, group: int) -> None:
        """Have works done."""
        for work in works:
            self._items[work] = Item(work.encode(), "m", depth, self._teller(work), retries)
        for work in works:
            assert self.tasks.submit(group, self._items[work])

    def _teller(self, work: str) -> Callable[[Outcome], object]:
        return lambda outcome: self.outcomes.put((work, outcome))

    async def _answer(self, text: bytes) -> bytes:
        what, _, rest = text.decode().partition(" ")
        match what:
            case "at":
                self.places.put(rest)
            case "gate":
                await self._gates.setdefault(rest, asyncio.Event()).wait()
            case "do":
                return await self._nested(rest)
            case _:
                raise AssertionError(text)
        return b""

    async def _nested(self, work: str) -> bytes:
        told: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        depth = 4 - int(work.split()[1])
        assert self.tasks.submit(0, Item(work.encode(), "m", depth, told.set_result))
        outcome = await told
        assert isinstance(outcome, Answer), outcome
        return outcome.value

    async def open(self, gate: str) -> None:
        """Works that wait there go on."""
        self._gates.setdefault(gate, asyncio.Event()).set()

    async def drop(self, work: str) -> None:
        """Nobody waits for it."""
        self.tasks.drop(0, self._items[work])


async def started(scratch: str, slots: int, options: list[TaskOptions]) -> Pool:
    """A pool with its workers."""
    pool = Pool(scratch, slots, options)
    await pool.tasks.start()
    return pool


def block() -> None:
    """Waits in one call that nothing interrupts."""
    time.sleep(600)


class TaskHost:
    """The actor. Its methods block, each on a thread of Ray's: no coroutines (see `process`)."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def start(
        self, scratch: str, slots: int, options: list[TaskOptions], interrupt_s: float
    ) -> None:
        """A pool, with its workers; what is interrupted has so long to end."""
        tasks.INTERRUPT_S_MAX = interrupt_s
        self._pool: Pool = self._on_loop(started(scratch, slots, options))

    def call(self, method: str, arguments: bytes) -> bytes:
        """What workers say."""
        answer = self._on_loop(self._pool.tasks.exchange(arguments))
        return msgspec.msgpack.encode(Answered(answer))

    def submit(self, works: list[str], depth: int = 0, retries: int = 0, group: int = 0) -> None:
        """Have works done, all at once."""
        self._on_loop(self._pool.submit(works, depth, retries, group))

    def place(self) -> tuple[str, int]:
        """The next work that has said where it is, and its process."""
        name, pid = self._pool.places.get(timeout=WAIT_S).split()
        return name, int(pid)

    def outcome(self) -> tuple[str, Outcome]:
        """The next outcome, and of which work."""
        return self._pool.outcomes.get(timeout=WAIT_S)

    def silent(self) -> bool:
        """No outcome is there."""
        return self._pool.outcomes.empty()

    def open(self, gate: str) -> None:
        """Works that wait there go on."""
        self._on_loop(self._pool.open(gate))

    def drop(self, work: str) -> None:
        """Nobody waits for it."""
        self._on_loop(self._pool.drop(work))

    def sent(self) -> int:
        """How many tasks were sent so far."""
        return self._pool.tasks.sent

    def _on_loop(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)
