"""The pool without Ray: what it sends, and what becomes of answers, deaths and callers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorkalix_cluster.rayhost import slips, tasks
from actorkalix_cluster.rayhost.actors import Making
from actorkalix_cluster.rayhost.batching import SENDS_MAX, Answer, Item, Lost, Outcome
from actorkalix_cluster.rayhost.errands import Crew, Done, Errand, Heard, Question, Result, Said
from actorkalix_cluster.rayhost.tasks import TaskOptions, TaskPool


class WorkerCrashedError(Exception):
    """As Ray's."""


class Ref:
    """A task that was sent."""

    def __init__(self, options: dict[str, Any], errand: Errand) -> None:
        self.options = options
        self.errand = errand
        self._future: concurrent.futures.Future[bytes] = concurrent.futures.Future()

    def future(self) -> concurrent.futures.Future[bytes]:
        return self._future

    def __await__(self) -> Generator[Any, None, bytes]:
        return asyncio.wrap_future(self._future).__await__()

    def end(self, *results: Result, refused: str = "") -> None:
        """The worker has returned."""
        self._future.set_result(msgspec.msgpack.encode(Done(results, refused)))

    def answer(self) -> None:
        """The worker did everything: each answer is the work in capitals."""
        works = enumerate(self.errand.works)
        self.end(*(Result(place, 100, work.upper()) for place, work in works))

    def crash(self, started: int) -> None:
        """It was killed when it had started so many."""
        slip = slips.Slip(self.errand.slip)
        slip.note(self.errand.batch, started)
        slip.close()
        self._future.set_exception(WorkerCrashedError("a long text\nof Ray's"))


class Ray:
    """In place of Ray's module."""

    def __init__(self) -> None:
        self.sent: list[Ref] = []
        self.cancelled: list[Ref] = []
        self.killed: list[Ref] = []
        self.ready = True
        self.idle = True

    def get_runtime_context(self) -> Ray:
        return self

    def get_actor_name(self) -> str:
        return "host"

    def remote(self, **options: Any) -> Callable[[Any], Any]:
        return lambda fn: _Remote(self, options)

    def cancel(self, ref: Ref, *, force: bool) -> None:
        (self.killed if force else self.cancelled).append(ref)


class _Remote:
    def __init__(self, ray: Ray, options: dict[str, Any]) -> None:
        self._ray, self._options = ray, options

    def remote(self, crew: bytes, errand: bytes) -> Ref:
        ref = Ref(self._options, msgspec.msgpack.decode(errand, type=Errand))
        if ref.errand.works:
            self._ray.sent.append(ref)
        elif not self._ray.idle:
            """It waits for a worker."""
        elif self._ray.ready:
            ref.end()
        else:
            ref.end(refused="no module")
        return ref


class Caller:
    """Has works done."""

    def __init__(self, pool: TaskPool) -> None:
        self.pool = pool
        self.told: list[Outcome] = []

    def submit(self, work: bytes, group: int = 0, retries: int = 0, method: str = "m") -> Item:
        item = Item(work, method, 0, self.told.append, retries)
        assert self.pool.submit(group, item)
        return item


async def settled() -> None:
    """What was said on another thread has arrived."""
    for _ in range(3):
        await asyncio.sleep(0)


OPTIONS = (TaskOptions(), TaskOptions(1, 0.5, 1_000, '{"env_vars": {"A": "b"}}'))


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Ray:
    ray = Ray()
    monkeypatch.setattr(tasks, "module", {"ray": ray}.__getitem__)
    return ray


def run(folder: Path, work: Callable[[Caller], Coroutine[Any, Any, None]], slots: int = 1) -> None:
    async def answer(text: bytes) -> bytes:
        return b"re:" + text

    async def inside() -> None:
        making = Making("p/", "ns", str(folder), str(folder / "nobody"), b"?" * 32)
        crew = Crew("m:f", b"", making)
        pool = TaskPool(
            crew, OPTIONS, slots=slots, queue_max=5, depth_max=8, answer=answer, name="shop"
        )
        await work(Caller(pool))

    asyncio.run(inside())


def test_whether_a_worker_has_begun_stands_on_its_slip(tmp_path: Path, ray: Ray) -> None:
    async def work(caller: Caller) -> None:
        first, waits = caller.submit(b"a"), caller.submit(b"b")
        assert not caller.pool.begun(0, first), "Ray may still look for a worker"
        slip = slips.Slip(ray.sent[0].errand.slip)
        slip.note(ray.sent[0].errand.batch, 1)
        slip.close()
        assert caller.pool.begun(0, first)
        assert not caller.pool.begun(0, waits)

    run(tmp_path, work)


def test_options_reach_ray_and_ray_never_repeats_a_task(tmp_path: Path, ray: Ray) -> None:
    async def work(caller: Caller) -> None:
        caller.submit(b"a")
        caller.submit(b"b", group=1)
        first, second = ray.sent
        assert first.options == {"max_retries": 0, "name": "shop", "num_cpus": 0}
        assert second.options == {
            "max_retries": 0,
            "name": "shop",
            "num_cpus": 1,
            "num_gpus": 0.5,
            "memory": 1_000,
            "runtime_env": {"env_vars": {"A": "b"}},
        }

    run(tmp_path, work)


def test_a_worker_is_made_ready_or_the_reason_said(tmp_path: Path, ray: Ray) -> None:
    async def work(caller: Caller) -> None:
        await caller.pool.start()
        assert ray.sent == []
        ray.ready = False
        with pytest.raises(RuntimeError, match="no worker can be made for tasks: no module"):
            await caller.pool.start()

    run(tmp_path, work)


def test_answers_come_back_and_those_that_waited_go_in_a_batch(tmp_path: Path, ray: Ray) -> None:
    async def work(caller: Caller) -> None:
        for each in (b"a", b"b", b"c"):
            caller.submit(each)
        assert [ref.errand.works for ref in ray.sent] == [(b"a",)]
        ray.sent[0].answer()
        await settled()
        assert caller.told == [Answer(b"A")]
        assert ray.sent[1].errand.works == (b"b", b"c")
        assert ray.sent[1].errand.batch != ray.sent[0].errand.batch
        ray.sent[1].answer()
        await settled()
        assert caller.told[1:] == [Answer(b"B"), Answer(b"C")]

    run(tmp_path, work)


def test_early_answers_are_told_at_once_and_what_is_left_goes_elsewhere(
    tmp_path: Path, ray: Ray
) -> None:
    async def work(caller: Caller) -> None:
        caller.submit(b"first")
        for each in (b"a", b"b", b"c"):
            caller.submit(each)
        ray.sent[0].answer()
        await settled()
        batch = ray.sent[1].errand.batch
        said = Said(batch, results=(Result(0, 100, b"A"),), left=2)
        await caller.pool.exchange(msgspec.msgpack.encode(said))
        assert caller.told[1:] == [Answer(b"A")]
        ray.sent[1].end(Result(0, 100, b"A"), Result(1, 60_000, b"B"))
        await settled()
        assert caller.told[2:] == [Answer(b"B")]
        assert ray.sent[2].errand.works == (b"c",)
        late = await caller.pool.exchange(msgspec.msgpack.encode(said))
        assert msgspec.msgpack.decode(late, type=Heard) == Heard(), "it is over"

    run(tmp_path, work)


def test_a_worker_asks_the_service(tmp_path: Path, ray: Ray) -> None:
    async def work(caller: Caller) -> None:
        caller.submit(b"a")
        said = Said(ray.sent[0].errand.batch, (Question(1, b"who"),), waits=True)
        heard = await caller.pool.exchange(msgspec.msgpack.encode(said))
        assert msgspec.msgpack.decode(heard, type=Heard) == Heard(((1, b"re:who"),))

    run(tmp_path, work)


def test_after_a_death_what_had_started_is_told_and_the_rest_sent_again(
    tmp_path: Path, ray: Ray
) -> None:
    async def work(caller: Caller) -> None:
        caller.submit(b"first")
        for each in (b"a", b"b"):
            caller.submit(each)
        ray.sent[0].answer()
        await settled()
        ray.sent[1].crash(started=1)
        await settled()
        assert caller.told[1:] == [Lost(True, "its worker process was killed or crashed")]
        assert ray.sent[2].errand.works == (b"b",)
        assert ray.sent[2].errand.slip != ray.sent[1].errand.slip

    run(tmp_path, work)


def test_what_may_be_retried_is(tmp_path: Path, ray: Ray) -> None:
    async def work(caller: Caller) -> None:
        caller.submit(b"a", retries=1)
        for number in range(2):
            ray.sent[number].crash(started=1)
            await settled()
        assert len(ray.sent) == 2
        assert [type(each) for each in caller.told] == [Lost]

    run(tmp_path, work)


def test_workers_that_cannot_be_made_are_given_up(tmp_path: Path, ray: Ray) -> None:
    async def work(caller: Caller) -> None:
        caller.submit(b"a")
        for number in range(SENDS_MAX):
            ray.sent[number].end(refused="no module")
            await settled()
        assert caller.told == [Lost(False, "no module")]

    run(tmp_path, work)


def test_a_caller_that_goes_away_interrupts_what_runs_alone(tmp_path: Path, ray: Ray) -> None:
    async def work(caller: Caller) -> None:
        alone, waiting = caller.submit(b"a"), caller.submit(b"b")
        caller.pool.drop(0, waiting)
        caller.pool.drop(0, alone)
        assert ray.cancelled == [ray.sent[0]]
        ray.sent[0].end(Result(0, 100, None))
        await settled()
        assert len(ray.sent) == 1, "the other one was never sent"

    run(tmp_path, work)


def test_what_an_interrupt_does_not_end_is_killed(
    tmp_path: Path, ray: Ray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "INTERRUPT_S_MAX", 0.0)

    async def work(caller: Caller) -> None:
        blocked = caller.submit(b"a", retries=1)
        caller.pool.drop(0, blocked)
        await settled()
        assert ray.killed == [ray.sent[0]]
        ray.sent[0].crash(started=1)
        caller.submit(b"b")
        await settled()
        assert ray.sent[1].errand.works == (b"b",), "nobody waits for the other any more"

    run(tmp_path, work)


def test_a_host_does_not_wait_for_a_worker_that_ray_has_no_room_for(
    tmp_path: Path, ray: Ray, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tasks, "START_S_MAX", 0.0)
    ray.idle = False

    async def work(caller: Caller) -> None:
        await caller.pool.start()

    run(tmp_path, work)
    assert caplog.text.count("no worker yet for tasks with TaskOptions(num_cpus=") == 2


def test_too_many_are_refused_and_so_is_everything_when_it_is_closed(
    tmp_path: Path, ray: Ray
) -> None:
    async def work(caller: Caller) -> None:
        for _ in range(6):
            caller.submit(b"a")
        assert not caller.pool.submit(0, Item(b"a", "m", 0, caller.told.append))
        caller.pool.close()
        assert ray.cancelled == ray.sent
        ray.sent[0].answer()
        await settled()
        assert len(ray.sent) == 1
        assert not caller.pool.submit(0, Item(b"a", "m", 0, caller.told.append))

    run(tmp_path, work)
    assert list(tmp_path.glob(f"slip.{os.getpid()}.*")) == []
