"""A host's work in Ray tasks: bytes in, bytes out, in worker processes that Ray keeps.

`batching` decides what goes where, `worker` does it, `exchange` answers what it asks meanwhile.
Here are Ray's own parts: a remote function for each set of options, its calls, and what becomes of
a call whose worker dies. Ray itself never runs a task again (`max_retries=0`): it would repeat a
whole batch, and what was started in it must not be.

Everything runs on the host's loop; Ray tells on threads of its own.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from actorkalix_cluster.rayhost import slips
from actorkalix_cluster.rayhost.actors import aside, on_node
from actorkalix_cluster.rayhost.batching import Answer, Batch, Batching, Item, Lost
from actorkalix_cluster.rayhost.errands import Crew, Done, Errand, Result, Said
from actorkalix_cluster.rayhost.exchange import Exchange
from actorkalix_cluster.rayhost.launch import module
from actorkalix_cluster.rayhost.worker import run_errand

log = logging.getLogger("actorkalix.tasks")

START_S_MAX = 15.0  # for a worker, before its host serves without it; imports take seconds
INTERRUPT_S_MAX = 3.0  # until a work that was interrupted has ended; then its process is


class TaskOptions(msgspec.Struct, frozen=True):
    """What a task needs of Ray; tasks with the same options share workers and slots.

    Attributes:
        num_cpus: that Ray sets aside for it; with 0 our slots alone bound what runs.
        num_gpus: likewise.
        memory: bytes, likewise.
        runtime_env: as `ray.remote` takes it, in JSON; "" for the host's.
    """

    num_cpus: float = 0
    num_gpus: float = 0
    memory: int = 0
    runtime_env: str = ""

    def of_ray(self) -> Mapping[str, Any]:
        """As keyword arguments of `ray.remote`."""
        wanted: dict[str, Any] = {"num_cpus": self.num_cpus}
        if self.num_gpus:
            wanted["num_gpus"] = self.num_gpus
        if self.memory:
            wanted["memory"] = self.memory
        if self.runtime_env:
            wanted["runtime_env"] = msgspec.json.decode(self.runtime_env)
        return wanted


class TaskPool:
    """See the module. Made in a process of the run, on its loop.

    Args:
        crew: whom the workers work for.
        options: of the tasks; `submit` takes their place in this row.
        slots: of each set of options.
        queue_max: calls that may wait, of each set of options and depth.
        depth_max: of calls.
        answer: answers what works ask of the service; it raises nothing.
        name: what workers call themselves while they work, as `ray::<name>`.

    Attributes:
        sent: tasks, so far.
    """

    def __init__(
        self,
        crew: Crew,
        options: Sequence[TaskOptions],
        *,
        slots: int,
        queue_max: int,
        depth_max: int,
        answer: Callable[[bytes], Awaitable[bytes]],
        name: str,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._crew = msgspec.msgpack.encode(crew)
        self._making = crew.making
        self._exchange = Exchange(answer)
        self._groups = [
            _Group(self, each, Batching(slots, queue_max, depth_max), name) for each in options
        ]
        self._slips = _Slips(Path(crew.making.scratch))
        context: Any = module("ray").get_runtime_context()
        self._actor = str(context.get_actor_name())
        self.sent = 0

    async def start(self) -> None:
        """Have a worker ready for each set of options, unless Ray has no room for it now.

        Raises:
            ValueError: Ray does not take the options.
            RuntimeError: no worker can be made.
        """
        await asyncio.gather(*(group.start() for group in self._groups))

    def submit(self, group: int, item: Item) -> bool:
        """Have a work done; False when too many wait."""
        return self._groups[group].submit(item)

    def drop(self, group: int, item: Item) -> None:
        """Nobody waits for it any more: it is taken out, or interrupted where it runs alone."""
        self._groups[group].drop(item)

    def begun(self, group: int, item: Item) -> bool:
        """A worker has begun with it; while it waits for a slot, or for Ray, none has."""
        return self._groups[group].begun(item)

    async def exchange(self, arguments: bytes) -> bytes:
        """What a worker says; the host's method `errands.METHOD`."""
        said = msgspec.msgpack.decode(arguments, type=Said)
        for group in self._groups:
            group.said(said)
        return msgspec.msgpack.encode(await self._exchange.hear(said))

    def close(self) -> None:
        """Nothing is sent any more; what runs is told to nobody."""
        for group in self._groups:
            group.close()
        self._slips.close()

    # ---- for the groups -----------------------------------------------------------------------
    def _errand(self, items: Sequence[Item], slip: Path) -> tuple[int, bytes, bytes]:
        self.sent += 1  # of all groups: what a worker says names nothing else
        works = tuple(item.work for item in items)
        errand = Errand(self._actor, self.sent, str(slip), works)
        return self.sent, self._crew, msgspec.msgpack.encode(errand)


class _Sent:
    """A batch on its way."""

    def __init__(self, batch: Batch, number: int, slip: Path, ref: Any) -> None:
        self.batch = batch
        self.number = number
        self.slip = slip
        self.ref = ref


class _Group:
    """Tasks with the same options."""

    def __init__(self, pool: TaskPool, options: TaskOptions, batching: Batching, name: str) -> None:
        self._pool = pool
        self._loop = pool._loop
        self._options = options
        self._batching = batching
        self._sent: dict[int, _Sent] = {}
        self._closed = False
        near = on_node(pool._making.node)
        self._run: Any = module("ray").remote(max_retries=0, name=name, **near, **options.of_ray())(
            run_errand
        )

    async def start(self) -> None:
        slip = self._pool._slips.take()
        _, crew, errand = self._pool._errand((), slip)
        self._pool._slips.give(slip)
        ref: Any = await aside(lambda: self._run.remote(crew, errand))
        try:
            async with asyncio.timeout(START_S_MAX):
                done = msgspec.msgpack.decode(await ref, type=Done)
        except TimeoutError:  # CPUs, GPUs or memory that others have, or nobody
            log.warning("no worker yet for tasks with %s; their calls wait for one", self._options)
            return
        if done.refused:
            raise RuntimeError(f"no worker can be made for tasks: {done.refused}")

    def submit(self, item: Item) -> bool:
        taken = not self._closed and self._batching.put(item)
        if taken:
            self._pump()
        return taken

    def drop(self, item: Item) -> None:
        if self._batching.drop(item) or item.batch is None:
            return
        sent = next((each for each in self._sent.values() if each.batch is item.batch), None)
        if sent is not None and len(sent.batch.items) == 1:
            module("ray").cancel(sent.ref, force=False)
            self._loop.call_later(INTERRUPT_S_MAX, self._kill, sent)

    def begun(self, item: Item) -> bool:
        batch = item.batch
        sent = next((each for each in self._sent.values() if each.batch is batch), None)
        if batch is None or sent is None:
            return item.begun
        place = next(nth for nth, each in enumerate(batch.items) if each is item)
        return item.begun or slips.started(sent.slip, sent.number) > place

    def _kill(self, sent: _Sent) -> None:
        """An interrupt does not reach a function that blocks; its slot is not to be lost for it."""
        if self._sent.get(sent.number) is sent:
            log.warning("a worker is killed: what it runs does not end, and nobody waits for it")
            module("ray").cancel(sent.ref, force=True)

    def close(self) -> None:
        self._closed = True
        for sent in self._sent.values():
            module("ray").cancel(sent.ref, force=False)

    # ---- out ----------------------------------------------------------------------------------
    def _pump(self) -> None:
        while not self._closed and (batch := self._batching.next()) is not None:
            self._send(batch)

    def _send(self, batch: Batch) -> None:
        slip = self._pool._slips.take()
        number, crew, errand = self._pool._errand(batch.items, slip)
        self._pool._exchange.open(number)
        ref: Any = self._run.remote(crew, errand)
        self._sent[number] = _Sent(batch, number, slip, ref)
        future: concurrent.futures.Future[bytes] = ref.future()
        future.add_done_callback(lambda ended: self._back(number, ended))

    def _back(self, number: int, ended: concurrent.futures.Future[bytes]) -> None:
        """On a thread of Ray's."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: this host ends as well
            self._loop.call_soon_threadsafe(self._ended, number, ended)

    # ---- back ---------------------------------------------------------------------------------
    def said(self, said: Said) -> None:
        """Answers of a batch that is not over yet, and what is left of it for others."""
        sent = self._sent.get(said.batch)
        if sent is None:
            return
        self._take(sent.batch, said.results)
        if said.left is not None:
            self._batching.give_back(sent.batch, range(said.left, len(sent.batch.items)))
            self._pump()

    def _ended(self, number: int, ended: concurrent.futures.Future[bytes]) -> None:
        sent = self._sent.pop(number)
        self._pool._exchange.close(number)
        batch = sent.batch
        error = ended.exception()
        if error is None:
            done = msgspec.msgpack.decode(ended.result(), type=Done)
            self._pool._slips.give(sent.slip)
            self._take(batch, done.results)
            if done.refused:
                self._lose(batch, 0, done.refused)
            self._batching.give_back(batch, list(batch.open))
        else:
            started = slips.started(sent.slip, number)
            sent.slip.unlink(missing_ok=True)  # whoever had it may still write
            self._lose(batch, started, _cause(error))
        self._batching.ended(batch)
        self._pump()

    def _take(self, batch: Batch, results: Sequence[Result]) -> None:
        for result in results:
            item = self._batching.answered(batch, result.place)
            if item is None:
                continue
            self._batching.measured(item.method, result.took_us / 1e3)
            if result.value is None:
                item.tell(Lost(True, "it was interrupted"))
            else:
                item.tell(Answer(result.value))

    def _lose(self, batch: Batch, started: int, reason: str) -> None:
        if not self._closed and not all(item.dropped for item in batch.open.values()):
            log.warning("a task of %d calls, %d started: %s", len(batch.items), started, reason)
        for item, lost in self._batching.lost(batch, started, reason):
            item.tell(lost)


class _Slips:
    """Files for what workers note; one for each batch that is under way."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._free: list[Path] = []
        self._made: list[Path] = []

    def take(self) -> Path:
        if self._free:
            return self._free.pop()
        path = self._scratch / f"slip.{os.getpid()}.{len(self._made)}"
        slips.blank(path)
        self._made.append(path)
        return path

    def give(self, slip: Path) -> None:
        self._free.append(slip)

    def close(self) -> None:
        for path in self._made:
            path.unlink(missing_ok=True)


def _cause(error: BaseException) -> str:
    """One line of Ray's many."""
    words = {
        "WorkerCrashedError": "its worker process was killed or crashed",
        "OutOfMemoryError": "its worker process was killed, for the machine was out of memory",
        "TaskCancelledError": "it was cancelled",
    }
    name = type(error).__name__
    first = (str(error).splitlines() or [name])[0]
    return next((words[each] for each in words if each in name), f"{name}: {first}")
