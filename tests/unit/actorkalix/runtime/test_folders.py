"""The data folder: whose it is and who has it (LT-01)."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from actorkalix.errors import FolderInUse, FolderUnusable, ForeignFolder
from actorkalix.runtime import folders
from actorkalix.runtime.layout import store_folder
from actorkalix_storage.api import HomeTable
from actorkalix_storage.lmdbstore import open_store

HOLDER = """
import fcntl, os, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
os.pwrite(lock, sys.argv[2].encode() or str(os.getpid()).encode(), 0)
print(flush=True)
sys.stdin.read()
"""


def holding(path: Path, said: str = "") -> subprocess.Popen[bytes]:
    """A process that has the run lock, and says that it is process `said`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path / folders.LOCK_NAME), said],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def never() -> None:
    """Where nobody waits."""
    pytest.fail("waited")


def test_a_folder_is_made_and_has_a_token_for_us_alone(tmp_path: Path) -> None:
    with folders.taken(tmp_path / "deep" / "data", "shop", never) as folder:
        token = folder.token_file()
        assert token.stat().st_mode & 0o777 == 0o600
        assert len(bytes.fromhex(token.read_text())) == folders.TOKEN_BYTES
        assert folder.token_file().read_text() == token.read_text()
    with folders.taken(tmp_path / "deep" / "data", "shop", never) as again:
        assert again.token_file().read_text() == token.read_text()


def test_who_has_the_folder_is_named(tmp_path: Path) -> None:
    with holding(tmp_path) as process:
        with (
            pytest.raises(FolderInUse, match=rf"process {process.pid} \(.*python"),
            folders.taken(tmp_path, "shop", never),
        ):
            pytest.fail("taken")
        process.kill()


def test_the_rest_of_a_killed_run_is_waited_for(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    with holding(tmp_path, str(gone.pid)) as rest:
        told: list[str] = []

        def waiting() -> None:
            told.append("waiting")
            rest.kill()
            rest.wait()

        with folders.taken(tmp_path, "shop", waiting) as folder:
            assert told == ["waiting"]
            assert os.pread(folder.lock, 20, 0) == str(os.getpid()).encode()


def test_another_services_folder_is_refused_untouched(tmp_path: Path) -> None:
    open_store(tmp_path, service="loyalty").close()
    before = sorted(p.name for p in tmp_path.iterdir())
    with (
        pytest.raises(ForeignFolder, match="of the service 'loyalty', not 'shop'"),
        folders.taken(tmp_path, "shop", never),
    ):
        pytest.fail("taken")
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_store_that_somebody_has_open_is_in_use(tmp_path: Path) -> None:
    store = open_store(tmp_path, service="shop")
    try:
        with (
            pytest.raises(FolderInUse, match=f"process {os.getpid()} "),
            folders.taken(tmp_path, "shop", never),
        ):
            pytest.fail("taken")
    finally:
        store.close()


def test_what_is_no_folder_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with (
        pytest.raises(FolderUnusable, match="is not a folder"),
        folders.taken(file, "shop", never),
    ):
        pytest.fail("taken")
    with (
        pytest.raises(FolderUnusable, match="cannot be written: Not a directory"),
        folders.taken(file / "below", "shop", never),
    ):
        pytest.fail("taken")


def test_the_lock_is_free_afterwards(tmp_path: Path) -> None:
    with folders.taken(tmp_path, "shop", never):
        pass
    with (tmp_path / folders.LOCK_NAME).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_every_store_of_a_folder_is_looked_at(tmp_path: Path) -> None:
    for number, service in enumerate(("shop", "loyalty")):
        open_store(store_folder(tmp_path, number), service=service, number=number).close()
    with (
        pytest.raises(ForeignFolder, match="of the service 'loyalty', not 'shop'"),
        folders.taken(tmp_path, "shop", never),
    ):
        pytest.fail("taken")
    store = open_store(store_folder(tmp_path, 1), service="loyalty", number=1)
    store_folder(tmp_path, 0).rename(tmp_path / "away")
    try:
        with (
            pytest.raises(FolderInUse, match=f"store-1 is open in process {os.getpid()} "),
            folders.taken(tmp_path, "loyalty", never),
        ):
            pytest.fail("taken")
    finally:
        store.close()


def test_one_store_of_a_folder_is_not_taken_for_the_folder(tmp_path: Path) -> None:
    folder = store_folder(tmp_path, 0)
    store = open_store(folder, service="shop", shards=2)
    store.put_homes(HomeTable(1, ((0,), (0,))))
    store.close()
    before = sorted(path.name for path in folder.iterdir())
    with (
        pytest.raises(ForeignFolder, match=f"one store of the data folder {tmp_path}: give that"),
        folders.taken(folder, "shop", never),
    ):
        pytest.fail("taken")
    assert sorted(path.name for path in folder.iterdir()) == before
    with folders.taken(tmp_path, "shop", never):
        pass
