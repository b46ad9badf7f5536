"""Stores prepared in a child process, and what a kill of either process leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actorkalix.errors import (
    FolderInUse,
    ForeignFolder,
    InternalError,
    InvalidCommandLine,
    PreparationEnded,
    StoredDataDamaged,
)
from actorkalix.runtime import stores
from actorkalix.runtime.config import Moving
from actorkalix.runtime.layout import is_marked, store_folder
from actorkalix.runtime.settling import Prepared
from actorkalix_storage.failpoints import VARIABLE
from actorkalix_storage.lmdbstore import open_store
from tests.unit.actorkalix.runtime.served import SHARDS, check, serve


def prepared(
    data: Path, hosts: int | None = None, told: list[Moving] | None = None, service: str = "shop"
) -> Prepared:
    report = (told if told is not None else []).append
    return stores.prepare(data, service, shards=SHARDS, hosts=hosts, report=report)


def no_child(*arguments: object) -> None:
    """Where nothing is to be started."""
    pytest.fail("a child was started")


def test_it_is_made_and_moved_by_a_child(tmp_path: Path) -> None:
    first = prepared(tmp_path)
    serve(first)
    told: list[Moving] = []
    second = prepared(tmp_path, 3, told)
    assert (second.cluster, second.lineage) == (first.cluster, first.lineage)
    of = SHARDS - len(second.homes.of_store(0))
    assert told[-1] == Moving(of, of, told[-1].records)
    check(tmp_path, second, 1)


def test_what_is_as_it_should_be_is_only_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepared(tmp_path, 2)
    with monkeypatch.context() as patch:
        patch.setattr(stores, "_started", no_child)
        assert prepared(tmp_path, 2) == prepared(tmp_path) == first
    (tmp_path / "moving.json").touch()
    assert prepared(tmp_path) == first
    assert not is_marked(tmp_path)


def test_bounds_are_known_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_started", no_child)
    for hosts in (0, 65):
        with pytest.raises(InvalidCommandLine, match=f"^--hosts: {hosts} is not in 1 to 64$"):
            prepared(tmp_path, hosts)
    assert not list(tmp_path.iterdir())


def test_errors_of_the_child_are_ours(tmp_path: Path) -> None:
    first = prepared(tmp_path)
    with pytest.raises(InvalidCommandLine, match="the service has 16 shards"):
        prepared(tmp_path, SHARDS + 1)
    with pytest.raises(ForeignFolder, match="'shop', not 'loyalty'"):
        prepared(tmp_path, service="loyalty")
    store = open_store(first.stores[0], service="shop", shards=SHARDS)
    with pytest.raises(FolderInUse, match=f"process {os.getpid()}"):
        prepared(tmp_path, 2)
    store.close()
    Path(first.stores[0], "data.mdb").write_bytes(b"\xff" * 10_000)
    with pytest.raises(StoredDataDamaged, match="store-0"):
        prepared(tmp_path)


def killed(data: Path, hosts: int, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start whose child is killed at a failpoint."""
    place, _, count = place.partition("@")
    with monkeypatch.context() as patch:
        patch.setenv(VARIABLE, f"{place}=crash@{count}")
        with pytest.raises(PreparationEnded, match="by SIGKILL"):
            prepared(data, hosts)


@pytest.mark.parametrize(
    "place, then",
    [
        ("homes.before_sync@1", 1),
        ("receive.after_sync@5", None),
        ("seal.after_sync@2", 1),
        ("homes.after_sync@2", 1),
        ("drop.after_sync@3", 2),
    ],
)
def test_a_killed_child_is_said_and_the_next_start_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, then: int | None
) -> None:
    serve(prepared(tmp_path))
    killed(tmp_path, 2, place, monkeypatch)
    again = prepared(tmp_path, then)
    assert len(again.stores) == (then or 2)
    check(tmp_path, again, 1)


def test_there_and_back_with_a_kill_on_every_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(prepared(tmp_path))
    ways = {4: "receive.before_sync@4", 2: "homes.after_sync@2", 1: "drop.middle@2"}
    for events, (hosts, place) in enumerate(ways.items(), 1):
        killed(tmp_path, hosts, place, monkeypatch)
        again = prepared(tmp_path, hosts)
        check(tmp_path, again, events)
        serve(again)
    check(tmp_path, prepared(tmp_path), 4)


PARENT = """
import os, signal, sys
from pathlib import Path
from actorkalix.runtime.stores import prepare

def report(moving):
    os.kill(os.getpid(), signal.SIGKILL)

prepare(Path(sys.argv[1]), "shop", hosts=4, report=report, inherit=(int(sys.argv[2]),))
"""


def test_the_child_does_not_outlive_its_parent(tmp_path: Path) -> None:
    """The child holds a pipe open, and stops itself rather than come to its end."""
    serve(prepared(tmp_path))
    mine, childs = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), str(childs)],
        env={
            **os.environ,
            VARIABLE: "drop.after_sync=stop",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        pass_fds=(childs,),
    )
    os.close(childs)
    assert process.wait() == -signal.SIGKILL
    assert os.read(mine, 1) == b""  # its last holder is gone
    os.close(mine)
    assert is_marked(tmp_path)
    again = prepared(tmp_path, 2)
    check(tmp_path, again, 1)


def test_how_a_child_died_says_what_it_means() -> None:
    at = str(store_folder(Path("data"), 3))
    fault = stores._death(-signal.SIGBUS, at)
    assert isinstance(fault, StoredDataDamaged)
    assert str(fault) == f"{at}: reading it ended a process by SIGBUS; verify it"
    assert isinstance(stores._death(-signal.SIGKILL, at), PreparationEnded)
    assert isinstance(stores._death(1, at), InternalError)
