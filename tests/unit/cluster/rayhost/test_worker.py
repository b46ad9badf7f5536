"""A worker without Ray: errands on its loop and its main thread, and what it says meanwhile."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import queue
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from actorkalix_cluster.rayhost import slips, worker
from actorkalix_cluster.rayhost.actors import Making
from actorkalix_cluster.rayhost.batching import ALONE_MS
from actorkalix_cluster.rayhost.contract import Answered, Refused
from actorkalix_cluster.rayhost.errands import (
    Around,
    Crew,
    Done,
    Errand,
    Heard,
    HostGone,
    Result,
    Said,
)
from actorkalix_cluster.rayhost.worker import Running, Worker, run_errand

FACTORY = "actorkalix_test_works"
WAIT_S = 10.0


class Works:
    """Does what it is told."""

    def __init__(self, config: bytes, around: Around) -> None:
        self.config = config
        self.around = around
        self.ran: list[bytes] = []
        self.at = threading.Event()
        self.go_on = threading.Event()

    async def do(self, work: bytes) -> bytes:
        """As the work says."""
        self.ran.append(work)
        match work:
            case b"where":
                return threading.current_thread().name.encode()
            case b"main":
                return await self.around.on_main(lambda: threading.current_thread().name.encode())
            case b"ask":
                try:
                    return await self.around.ask(b"question")
                except HostGone as gone:
                    return str(gone).encode()
            case b"two":
                answers = await asyncio.gather(self.around.ask(b"1"), self.around.ask(b"2"))
                return b" ".join(answers)
            case b"wait":
                self.at.set()
                await asyncio.get_running_loop().create_future()
            case b"interrupted":
                await self.around.on_main(interrupt)
            case b"gate":
                self.at.set()
                await asyncio.to_thread(self.go_on.wait)
            case _:
                return work
        return work


def interrupt() -> None:
    """What Ray raises on the main thread."""
    raise KeyboardInterrupt


class Host:
    """In place of the host's actor: keeps what is said, answers when it is told to."""

    def __init__(self) -> None:
        self.said: queue.SimpleQueue[tuple[Said, concurrent.futures.Future[bytes]]] = (
            queue.SimpleQueue()
        )

    def __call__(self, said: bytes) -> concurrent.futures.Future[bytes]:
        future: concurrent.futures.Future[bytes] = concurrent.futures.Future()
        self.said.put((msgspec.msgpack.decode(said, type=Said), future))
        return future

    def next(self) -> tuple[Said, concurrent.futures.Future[bytes]]:
        """The next thing that is said."""
        return self.said.get(timeout=WAIT_S)


def answers(*pairs: tuple[int, bytes]) -> bytes:
    return msgspec.msgpack.encode(Answered(msgspec.msgpack.encode(Heard(pairs))))


class Bench:
    """A worker with its host."""

    def __init__(self, folder: Path) -> None:
        making = Making("p/", "ns", str(folder), str(folder / "nobody"), b"?" * 32)
        self.worker = Worker(Crew(f"{FACTORY}:Works", b"config", making))
        self.works = self.worker._work
        assert isinstance(self.works, Works)
        self.host = Host()
        self.worker._calls["host"] = self.host
        self.slip = folder / "slip"
        slips.blank(self.slip)

    def run(self, *works: bytes) -> Done:
        """An errand, from start to end."""
        return self.worker.run(Errand("host", 7, str(self.slip), works))

    def begin(self, *works: bytes) -> concurrent.futures.Future[Done]:
        """An errand that goes on while the test does."""
        done: concurrent.futures.Future[Done] = concurrent.futures.Future()

        def run() -> None:
            done.set_result(self.run(*works))

        threading.Thread(target=run, name="errand", daemon=True).start()
        return done


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Bench]:
    module = ModuleType(FACTORY)
    vars(module)["Works"] = Works
    monkeypatch.setitem(sys.modules, FACTORY, module)
    made = Bench(tmp_path)
    yield made
    made.worker._loop.call_soon_threadsafe(made.worker._loop.stop)


def values(done: Done) -> list[bytes | None]:
    return [result.value for result in done.results]


def test_works_are_done_in_order_on_the_loop_and_noted(bench: Bench) -> None:
    done = bench.run(b"a", b"where", b"b")
    assert values(done) == [b"a", b"loop", b"b"]
    assert [result.place for result in done.results] == [0, 1, 2]
    assert slips.started(bench.slip, 7) == 3
    assert isinstance(bench.works, Works)
    assert bench.works.config == b"config"


def test_what_may_block_is_called_on_the_thread_of_the_errand(bench: Bench) -> None:
    assert values(bench.begin(b"main", b"main").result(WAIT_S)) == [b"errand", b"errand"]


def test_an_empty_errand_does_nothing(bench: Bench) -> None:
    assert bench.run() == Done()
    assert slips.started(bench.slip, 7) == 0


def test_questions_that_come_together_go_in_one_call(bench: Bench) -> None:
    done = bench.begin(b"two")
    said, call = bench.host.next()
    assert (said.batch, [each.text for each in said.questions]) == (7, [b"1", b"2"])
    assert said.waits
    first, second = said.questions
    call.set_result(answers((second.id, b"zwei")))
    listening, again = bench.host.next()
    assert (listening.questions, listening.waits) == ((), True)
    again.set_result(answers((first.id, b"eins")))
    assert values(done.result(WAIT_S)) == [b"eins zwei"]


@pytest.mark.parametrize("died", [True, False])
def test_a_host_that_is_gone_is_said_to_the_work(
    bench: Bench, died: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = ModuleType("ray.exceptions")
    vars(errors)["RayError"] = ConnectionError
    monkeypatch.setattr(worker, "module", {"ray.exceptions": errors}.__getitem__)
    done = bench.begin(b"ask")
    _, call = bench.host.next()
    if died:
        call.set_exception(ConnectionError("it died\nat length"))
    else:
        call.set_result(msgspec.msgpack.encode(Refused("", "a bug")))
    assert values(done.result(WAIT_S)) == [b"it died" if died else b"a bug"]


def test_an_interrupted_work_is_cancelled_and_the_worker_goes_on(bench: Bench) -> None:
    done = bench.run(b"interrupted")
    assert values(done) == [None]
    assert values(bench.run(b"a")) == [b"a"]


def test_a_work_that_waits_is_cancelled_by_an_interrupt(bench: Bench) -> None:
    done = bench.begin(b"wait")
    assert isinstance(bench.works, Works)
    assert bench.works.at.wait(WAIT_S)
    bench.worker._for_main.put(interrupt)
    assert values(done.result(WAIT_S)) == [None]


def test_a_batch_that_takes_long_says_its_answers_and_leaves_the_rest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "ALONE_MS", 0.0)
    done = bench.begin(b"a", b"gate", b"b", b"c")
    said, call = bench.host.next()
    call.set_result(answers())
    assert [result.value for result in said.results] == [b"a"]
    assert said.left == 2
    assert isinstance(bench.works, Works)
    bench.works.go_on.set()
    ended = done.result(WAIT_S)
    assert values(ended) == [b"a", b"gate"], "all that it did, for what was said may be late"
    assert bench.works.ran == [b"a", b"gate"]
    assert slips.started(bench.slip, 7) == 2


def test_nothing_is_said_while_nothing_is_new(tmp_path: Path) -> None:
    path = tmp_path / "slip"
    slips.blank(path)
    running = Running(Errand("host", 1, str(path), (b"a", b"b")), slips.Slip(str(path)))
    assert running.start(0)
    assert running.unsaid() is None, f"it has not taken {ALONE_MS} ms"
    running.finish(b"A")
    said = running.unsaid()
    assert said is not None
    assert [result.value for result in said.results] == [b"A"]
    assert running.unsaid() is None
    assert running.start(1)
    assert [type(result) for result in running.close()] == [Result]


def test_what_asks_when_its_work_is_over_is_told_so(bench: Bench) -> None:
    async def late() -> None:
        with pytest.raises(RuntimeError, match="handler had ended"):
            await bench.worker.ask(b"late")

    bench.run(b"a")
    asyncio.run_coroutine_threadsafe(late(), bench.worker._loop).result(WAIT_S)


def test_an_open_question_ends_with_its_errand(bench: Bench) -> None:
    asked: list[concurrent.futures.Future[bytes]] = []

    async def in_background() -> bytes:
        return await bench.worker.ask(b"background")

    done = bench.begin(b"gate")
    assert isinstance(bench.works, Works)
    assert bench.works.at.wait(WAIT_S)
    asked.append(asyncio.run_coroutine_threadsafe(in_background(), bench.worker._loop))
    bench.host.next()
    bench.works.go_on.set()
    done.result(WAIT_S)
    with pytest.raises(HostGone):
        asked[0].result(WAIT_S)


def test_a_worker_that_cannot_be_made_says_why_and_starts_nothing(tmp_path: Path) -> None:
    making = Making("p/", "ns", str(tmp_path), str(tmp_path / "nobody"), b"?" * 32)
    crew = msgspec.msgpack.encode(Crew("no_such_module:Works", b"", making))
    errand = msgspec.msgpack.encode(Errand("host", 1, "none", (b"a",)))
    done = msgspec.msgpack.decode(run_errand(crew, errand), type=Done)
    assert done == Done((), "ModuleNotFoundError: No module named 'no_such_module'")
    threads = threading.active_count()
    said: list[str] = []
    logger = logging.getLogger("actorkalix.tasks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logger, "exception", said.append)
        again = msgspec.msgpack.decode(run_errand(crew, errand), type=Done)
        assert (again, said) == (done, []), "so soon it is not tried again"
        patch.setattr(worker, "REFUSED_S", -1.0)
        patch.setattr(worker, "_refused", {})
        for _ in range(3):
            assert msgspec.msgpack.decode(run_errand(crew, errand), type=Done) == done
    assert len(said) == 3
    assert threading.active_count() <= threads, "nothing of it is left"
    old = msgspec.msgpack.encode(Crew("m:f", b"", making, protocol=0))
    assert (
        "protocol 0 of the host"
        in msgspec.msgpack.decode(run_errand(old, errand), type=Done).refused
    )
