"""A process without Ray: it runs what a factory makes on a loop of its own."""

from __future__ import annotations

import asyncio
import builtins
import gc
import inspect
import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from actorkalix_cluster.rayhost.contract import (
    PROTOCOL,
    Answer,
    Answered,
    Beat,
    Fatal,
    ProcessSpec,
    Refused,
    Roll,
    Transport,
)
from actorkalix_cluster.rayhost.process import EXIT_FATAL, Process, last_words
from actorkalix_cluster.rayhost.sockets import Handover, Taken
from actorkalix_cluster.shardhost.collector import YOUNG

FACTORY = "actorkalix_test_factory"


class Numbered(Exception):
    """An error with a page."""

    number = "AK4003"


class Probe:
    """Hosted: says where it runs, fails as it is told."""

    def __init__(self, config: bytes, taken: Taken, fatal: Fatal) -> None:
        self.config = config
        self.taken = taken
        self.batches: list[bytes] = []
        self.rolls: list[Roll] = []
        self.busy = threading.Event()
        self.arrived = threading.Event()

    async def call(self, method: str, arguments: bytes) -> bytes:
        """As the method says."""
        match method:
            case "where":
                return f"{threading.current_thread().name} {len(self.taken.listening)}".encode()
            case "foreign":
                raise Numbered("another service's")
            case "broken":
                raise ValueError("broken")
            case "hold":
                self.busy.wait()
            case "batches":
                return b" ".join(self.batches)
            case _:
                pytest.fail(f"nobody calls {method!r}")
        return b""

    def beat(self) -> Beat:
        """Lives."""
        return Beat(os.getpid(), "serving", 3, 7)

    def enroll(self, roll: Roll, ways: dict[int, Transport]) -> None:
        """Keeps it."""
        assert threading.current_thread().name == "loop"
        self.rolls.append(roll)

    def take(self, batch: bytes) -> None:
        """Keeps it."""
        assert threading.current_thread().name == "loop"
        self.batches.append(batch)
        self.arrived.set()


@contextmanager
def unharmed() -> Generator[None]:
    """Keeps streams and import path of this process from the host, which makes them its own."""
    with pytest.MonkeyPatch.context() as ours:
        for name in ("stdout", "stderr"):
            ours.setattr(sys, name, io.StringIO())
        ours.setattr(sys, "path", [*sys.path, "/nowhere"])
        ours.setattr(builtins, FACTORY, Probe, raising=False)
        thresholds = gc.get_threshold()
        yield
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        sys.stdout.close()


async def prepared(scratch: Path, protocol: int = PROTOCOL) -> tuple[Process, Answer]:
    """A process that has fetched a socket."""
    own = os.pidfd_open(os.getpid())
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        closing(Handover(scratch / "handover", Taken(own, 2, (listening.fileno(),)))) as handover,
    ):
        serving = asyncio.create_task(handover.serve())
        spec = ProcessSpec(
            "probe", f"builtins:{FACTORY}", b"", str(scratch), str(scratch / "handover"),
            handover.ticket, ("/nowhere",), protocol,
        )  # fmt: skip
        process = Process(msgspec.msgpack.encode(spec))
        answer = await asyncio.to_thread(process.prepare)
        serving.cancel()
    os.close(own)
    return process, decoded(answer)


def decoded(answer: bytes) -> Answer:
    """An answer of a process."""
    return msgspec.msgpack.decode(answer, type=Answered | Refused)


def made(scratch: Path) -> Process:
    """A process that is prepared."""
    process, answer = asyncio.run(prepared(scratch))
    assert answer == Answered(msgspec.msgpack.encode(Beat(os.getpid())))
    return process


@unharmed()
def test_it_works_on_a_thread_of_its_own(tmp_path: Path) -> None:
    process = made(tmp_path)
    assert "/nowhere" not in sys.path
    assert decoded(process.call("where", b"")) == Answered(b"loop 1")
    beat = msgspec.msgpack.decode(process.beat(), type=Beat)
    assert beat == Beat(os.getpid(), "serving", 3, 7)


@unharmed()
def test_garbage_is_not_looked_for_in_what_stays(tmp_path: Path) -> None:
    made(tmp_path)
    assert gc.get_freeze_count() > 1_000
    assert gc.get_threshold()[0] == YOUNG


@pytest.mark.parametrize(
    "method, told",
    [
        ("foreign", Refused("AK4003", "another service's")),
        ("broken", Refused("", "ValueError: broken")),
    ],
)
@unharmed()
def test_why_it_cannot_do_what_it_is_asked_is_told(
    tmp_path: Path, method: str, told: Refused
) -> None:
    assert decoded(made(tmp_path).call(method, b"")) == told


@unharmed()
def test_it_lives_while_the_loop_is_held_and_batches_wait_in_order(tmp_path: Path) -> None:
    process = made(tmp_path)
    probe = process._hosted
    assert isinstance(probe, Probe)
    holding = threading.Thread(target=process.call, args=("hold", b""))
    holding.start()
    assert process.beat()
    for batch in (b"1", b"2", b"3"):
        assert process.take(batch) == b""
    assert probe.batches == []
    probe.busy.set()
    holding.join()
    probe.arrived.wait()
    assert decoded(process.call("batches", b"")) == Answered(b"1 2 3")


@unharmed()
def test_it_is_told_who_is_there(tmp_path: Path) -> None:
    process = made(tmp_path)
    roll = Roll(1, {3: 7}, {4: "gone"}, b"homes")
    assert decoded(process.enroll(msgspec.msgpack.encode(roll), {})) == Answered(b"")
    assert isinstance(process._hosted, Probe)
    assert process._hosted.rolls == [roll]


def test_ray_is_to_take_it_for_an_actor_of_threads() -> None:
    assert not [name for name, each in vars(Process).items() if inspect.iscoroutinefunction(each)]


@unharmed()
def test_another_protocol_is_refused(tmp_path: Path) -> None:
    _, answer = asyncio.run(prepared(tmp_path, PROTOCOL + 1))
    assert isinstance(answer, Refused)
    assert f"protocol {PROTOCOL + 1} of the run" in answer.message


def test_a_fatal_end_leaves_its_reason(tmp_path: Path) -> None:
    code = (
        "import msgspec\n"
        "from actorkalix_cluster.rayhost.contract import ProcessSpec\n"
        "from actorkalix_cluster.rayhost.process import Process\n"
        f"spec = ProcessSpec('', '', b'', {str(tmp_path)!r}, '', b'')\n"
        "Process(msgspec.msgpack.encode(spec))._fatal('the disk is gone')\n"
    )
    path = os.pathsep.join(sys.path)
    with subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}
    ) as process:
        assert process.wait() == EXIT_FATAL
    assert last_words(tmp_path, process.pid).read_text() == "the disk is gone"
