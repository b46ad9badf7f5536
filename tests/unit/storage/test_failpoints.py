"""Failpoints: what a text means, and that a process really dies, stops, or meets a failing disk."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actorkalix_storage import failpoints
from actorkalix_storage.api import DurabilityLost, StoreFull
from actorkalix_storage.failpoints import PLACES, VARIABLE, Failpoints
from actorkalix_storage.lmdbstore import Options, open_store, verify
from actorkalix_storage.testing.harness import START_MS, event, write

SOURCES = Path(failpoints.__file__).parent

PROGRAM = """
import sys
from actorkalix_storage.api import Append, Record, RecordKind
from actorkalix_storage.lmdbstore import open_store

store = open_store(sys.argv[1], service="shop", shards=4)
epoch = store.open_shards([0], 1)[0]
for number in range(1, 4):
    record = Record(RecordKind.EVENT, "cart", "a", number, 1)
    store.commit([Append(0, epoch, number - 1, (record,))])
    print(number, flush=True)
"""


def run(path: Path, text: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), VARIABLE: text},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stored(path: Path) -> int:
    store = open_store(path, service="shop", shards=4, options=Options(check=False))
    history = store.load(0, "cart", "a")
    store.close()
    assert verify(path).ok
    return len(history.records) if history else 0


@pytest.mark.parametrize(
    "place, answered, durable",
    [
        ("commit.begin", 1, 1),
        ("commit.before_write", 1, 1),
        ("commit.before_sync", 1, 1),
        ("commit.after_sync", 1, 2),
    ],
)
def test_a_crash_at_the_second_time(
    tmp_path: Path, place: str, answered: int, durable: int
) -> None:
    child = run(tmp_path, f"{place}=crash@2")
    out, _ = child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert out.split() == [str(n) for n in range(1, answered + 1)]
    assert stored(tmp_path) == durable


def test_a_file_stands_for_one_crash_of_whichever_process(tmp_path: Path) -> None:
    """Every process opens the store; without the file all would die of it."""
    once = tmp_path / "once"
    text = f"open.before_epochs=crash@1?{once};commit.before_sync=crash@2?{tmp_path / 'never'}"
    for _ in range(2):
        once.touch()
        child = run(tmp_path / "store", text)
        child.communicate()
        assert (child.returncode, once.exists()) == (-signal.SIGKILL, False)
    child = run(tmp_path / "store", text)
    out, _ = child.communicate()
    assert (child.returncode, out.split()) == (0, ["1", "2", "3"])
    assert stored(tmp_path / "store") == 3


def test_a_file_counts_only_at_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies there until the place is reached for the N-th time; later it is too late."""
    first, later = tmp_path / "first", tmp_path / "later"
    reached: list[str] = []
    monkeypatch.setitem(failpoints._ACTIONS, "stop", reached.append)
    failing = Failpoints(f"open.after_sync=stop@2?{first}; commit.begin=stop?{later}")
    first.touch()
    failing.hit("open.after_sync")
    assert (reached, first.exists()) == ([], True)
    failing.hit("open.after_sync")
    assert (reached, first.exists()) == (["open.after_sync"], False)
    first.touch()
    failing.hit("open.after_sync")
    assert (len(reached), first.exists()) == (1, True)
    for makes in (True, False, True):  # without a number, whenever there is a file
        if makes:
            later.touch()
        failing.hit("commit.begin")
        assert not later.exists()
    assert reached[1:] == ["commit.begin"] * 2


def test_a_stop_goes_on(tmp_path: Path) -> None:
    child = run(tmp_path, "open.after_epochs=stop")
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    os.kill(child.pid, signal.SIGCONT)
    out, _ = child.communicate()
    assert out.split() == ["1", "2", "3"]
    assert stored(tmp_path) == 3


def test_a_wrong_text_ends_the_process(tmp_path: Path) -> None:
    child = run(tmp_path, "commit.end=crash")
    _, words = child.communicate()
    assert child.returncode == 1
    assert "no place 'commit.end'" in words
    assert "commit.before_sync" in words


@pytest.mark.parametrize(
    "text, words",
    [
        ("nowhere=crash", "no place 'nowhere'; there are .*commit.begin"),
        ("commit.begin", "no action ''; there are crash, stop, enospc, eio"),
        ("commit.begin=explode", "no action 'explode'"),
        ("commit.begin=crash@0", "a number from 1 on"),
        ("commit.begin=crash@", "a number from 1 on"),
        ("commit.begin=crash@x", "a number from 1 on"),
        ("commit.begin=crash@2?once", "'commit.begin=crash@2.once': after . comes the absolute"),
        ("commit.begin=crash?", "after . comes the absolute path of a file"),
        ("commit.begin=eio", "inside a transaction, not 'commit.begin': commit.before_sync"),
    ],
)
def test_wrong_texts(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Failpoints(f"commit.after_sync=stop; {text}")


def test_without_a_text_nothing_happens() -> None:
    assert failpoints._failpoints is None
    for text in ("", " ; ", "commit.begin=crash@2"):
        Failpoints(text).hit("commit.begin")
    with pytest.raises(AssertionError):
        Failpoints("").hit("nowhere")


def test_a_full_disk_and_a_broken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(tmp_path, service="shop", shards=4, options=Options(check=False))
    store.open_shards([0], START_MS)
    monkeypatch.setattr(
        failpoints,
        "_failpoints",
        Failpoints("commit.before_sync=enospc@2;checkpoint.slice=enospc;commit.before_sync=eio@4"),
    )
    write(store, event(1))
    with pytest.raises(StoreFull, match="nothing was stored"):
        write(store, event(2))
    with pytest.raises(StoreFull):
        store.checkpoint()
    write(store, event(2))
    with pytest.raises(DurabilityLost):
        write(store, event(3))
    store.close()
    monkeypatch.undo()
    assert stored(tmp_path) == 2


def test_every_place_is_in_the_program() -> None:
    """And every place in the program is known."""
    text = "".join(path.read_text() for path in SOURCES.rglob("*.py"))
    named = set(re.findall(r'hit\("([a-z._]+)"\)', text))
    operations = set(re.findall(r'what(?:: str)? ?= ?"([a-z]+)"', text))
    operations |= set(re.findall(r'_write\(batch, "([a-z]+)"\)', text))
    named |= {f"{what}.{moment}" for what in operations for moment in ("before_sync", "after_sync")}
    assert named == PLACES
