"""The newest whole file is served; while there is none, it is said how far it is."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from actorkalix.errors import ViewIncomplete
from actorkalix.views.serving import LOOK_EVERY_S, Serving, connect
from tests.unit.actorkalix.views.files import File


class Clock:
    """Time as the test says."""

    def __init__(self) -> None:
        self.s = 1_000.0

    def serving(self, folder: Path) -> Serving:
        """With this clock; the folder's time counts as old."""
        return Serving("carts", folder, monotonic_s=self._passing, now_ns=lambda: 0)

    def _passing(self) -> float:
        self.s += 0.01
        return self.s


def changed(folder: Path, number: int) -> None:
    """The folder has another time now, whatever the file system's clock says."""
    os.utime(folder, ns=(number, number * 1_000_000_000))


def test_without_a_file_the_view_is_incomplete(tmp_path: Path) -> None:
    with pytest.raises(ViewIncomplete, match="'carts' is not complete: nothing keeps it yet"):
        Clock().serving(tmp_path / "none")()


def test_a_file_is_served_when_it_is_whole(tmp_path: Path) -> None:
    clock = Clock()
    file = File(tmp_path / "000001.sqlite")
    file.stand(1, 1, 1, 30, newest=100)
    serving = clock.serving(tmp_path)
    with pytest.raises(ViewIncomplete, match="being built, 30 of 100 records are read"):
        serving()
    file.meta(ready=1)
    clock.s += 2 * LOOK_EVERY_S
    assert serving() == file.uri
    file.close()


def test_the_old_one_is_served_until_the_new_one_is_whole(tmp_path: Path) -> None:
    clock = Clock()
    old = File(tmp_path / "000001.sqlite")
    old.meta(ready=1)
    serving = clock.serving(tmp_path)
    assert serving() == old.uri
    new = File(tmp_path / "000002.sqlite")
    changed(tmp_path, 2)
    assert serving() == old.uri
    new.meta(ready=1)
    clock.s += 2 * LOOK_EVERY_S
    assert serving() == new.uri
    old.close()
    new.close()


def test_a_damaged_or_deleted_file_is_not_served(tmp_path: Path) -> None:
    clock = Clock()
    path = tmp_path / "000001.sqlite"
    file = File(path)
    file.meta(ready=1)
    file.close()
    serving = clock.serving(tmp_path)
    assert serving()
    path.unlink()
    changed(tmp_path, 3)
    with pytest.raises(ViewIncomplete):
        serving()
    path.write_bytes(b"x" * 5_000)
    changed(tmp_path, 4)
    with pytest.raises(ViewIncomplete, match="being made"):
        serving()


def test_other_files_of_the_folder_are_nobodys_view(tmp_path: Path) -> None:
    for name in ("lock", "carts.damaged", "copy.sqlite"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ViewIncomplete, match="nothing keeps it yet"):
        Clock().serving(tmp_path)()


def test_a_file_of_the_same_name_is_another_one(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "000001.sqlite"
    first = File(path, "g1")
    first.meta(ready=1)
    serving = clock.serving(tmp_path)
    before = serving()
    first.close()
    for file in tmp_path.iterdir():
        file.unlink()
    second = File(path, "g2")
    second.meta(ready=1)
    changed(tmp_path, 5)
    assert serving() != before
    second.close()


def test_analyses_connect_to_what_is_served_and_cannot_write(tmp_path: Path) -> None:
    folder = tmp_path / "views" / "carts"
    folder.mkdir(parents=True)
    file = File(folder / "000001.sqlite")
    file.put("c1", 7)
    with pytest.raises(ViewIncomplete):
        connect(tmp_path, "carts")
    file.meta(ready=1)
    connection = connect(tmp_path, "carts")
    assert connection.execute("SELECT size FROM carts").fetchall() == [(7,)]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM carts")
    connection.close()
    file.close()
