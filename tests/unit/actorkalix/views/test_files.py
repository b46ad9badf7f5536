"""Files of a view: generations, damage, locks."""

from __future__ import annotations

import logging
import sqlite3
from itertools import count
from pathlib import Path

import msgspec
import pytest

from actorkalix.describe.descriptors import ComponentDescriptor, described
from actorkalix.views.files import AWAY, ViewBusy, ViewFiles, folder_of, mark_away
from actorkalix_cluster.shardhost.feeding import Answer, Batch, pack_batch, unpack_answer
from tests.unit.actorkalix.views.shop import Carts, Log, batch

NUMBERS = count(1)


def component_of(fingerprint: str = "one") -> ComponentDescriptor:
    component = described(Carts)
    assert component is not None
    assert component.view is not None
    view = msgspec.structs.replace(component.view, fingerprint=fingerprint)
    return msgspec.structs.replace(component, view=view)


def opened(folder: Path, fingerprint: str = "one") -> ViewFiles:
    return ViewFiles(folder, component_of(fingerprint), fresh=lambda: f"g{next(NUMBERS)}")


def apply(files: ViewFiles, made: Batch) -> Answer:
    return unpack_answer(files.apply(pack_batch(made)))


def total(uri: str) -> int:
    connection = sqlite3.connect(f"{uri}?mode=ro", uri=True)
    try:
        found = connection.execute("SELECT coalesce(sum(quantity), 0) FROM carts").fetchone()
        return int(found[0])
    finally:
        connection.close()


def is_current(files: ViewFiles) -> bool:
    return files.served.current


@pytest.fixture
def log() -> Log:
    made = Log()
    for number in range(1, 4):
        made.add("a", number)
    return made


def test_a_view_goes_on_in_its_file(tmp_path: Path, log: Log) -> None:
    files = opened(tmp_path)
    first = apply(files, batch(log.part(0), shards=1))
    files.close()
    files = opened(tmp_path)
    answer = apply(files, batch(asked=(0,), shards=1))
    assert answer.standings[0].place == log.place(3)
    assert answer.generation == first.generation
    assert total(files.served.uri) == 6
    assert (files.served.whole, files.served.current) == (True, True)
    files.close()


def test_one_process_writes_a_view(tmp_path: Path) -> None:
    files = opened(tmp_path)
    with pytest.raises(ViewBusy):
        opened(tmp_path)
    files.close()
    opened(tmp_path).close()


def test_another_fingerprint_is_made_beside_what_is_served(tmp_path: Path, log: Log) -> None:
    files = opened(tmp_path)
    apply(files, batch(log.part(0), shards=2))
    other = Log(1)
    apply(files, batch(other.part(0), shards=2))
    files.close()
    log.add("a", 100)

    files = opened(tmp_path, "two")
    assert (files.served.whole, files.served.current) == (True, False)
    assert total(files.served.uri) == 6
    apply(files, batch(log.part(0), shards=2))
    assert total(files.served.uri) == 6
    apply(files, batch(other.part(0), shards=2))
    assert (files.served.whole, files.served.current) == (True, True)
    assert total(files.served.uri) == 106
    assert len(list(tmp_path.glob("*.sqlite"))) == 1
    files.close()


def test_a_rebuild_that_was_interrupted_goes_on(tmp_path: Path, log: Log) -> None:
    files = opened(tmp_path)
    apply(files, batch(log.part(0), shards=1))
    files.close()
    files = opened(tmp_path, "two")
    apply(files, batch(log.part(0, 2), shards=1))
    files.close()
    files = opened(tmp_path, "two")
    assert not is_current(files)
    assert total(files.served.uri) == 6
    apply(files, batch(log.part(2), shards=1))
    assert is_current(files)
    assert total(files.served.uri) == 6
    files.close()


def test_what_was_never_whole_is_not_served(tmp_path: Path, log: Log) -> None:
    files = opened(tmp_path)
    apply(files, batch(log.part(0, 2), shards=1))
    files.close()
    files = opened(tmp_path, "two")
    assert (files.served.whole, files.served.current) == (False, True)
    assert len(list(tmp_path.glob("*.sqlite"))) == 1
    files.close()


@pytest.mark.parametrize("damage", [b"no file of SQLite's, but long enough" * 200, b""])
def test_a_damaged_file_is_moved_aside(
    tmp_path: Path, log: Log, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    files = opened(tmp_path)
    apply(files, batch(log.part(0), shards=1))
    files.close()
    (path,) = tmp_path.glob("*.sqlite")
    path.write_bytes(damage)
    with caplog.at_level(logging.ERROR):
        files = opened(tmp_path)
    answer = apply(files, batch(log.part(0), shards=1))
    assert answer.standings[0].place == log.place(3)
    assert total(files.served.uri) == 6
    assert "AK4012" in caplog.text
    assert len(list(tmp_path.glob("*.damaged"))) == 1
    files.close()


def test_damage_that_is_found_while_it_is_written_is_the_same(tmp_path: Path, log: Log) -> None:
    files = opened(tmp_path)
    first = apply(files, batch(log.part(0), shards=1))
    files.close()
    (path,) = tmp_path.glob("*.sqlite")
    files = opened(tmp_path)
    whole = bytearray(path.read_bytes())
    whole[4_096:] = b"\x5a" * (len(whole) - 4_096)
    path.write_bytes(whole)
    log.add("a", 4)
    answer = apply(files, batch(log.part(3), shards=1))
    assert answer.generation != first.generation
    assert answer.standings[0].place == (0, 0, 0)
    apply(files, batch(log.part(0), shards=1))
    assert total(files.served.uri) == 10
    files.close()


def test_a_file_that_somebody_deletes_is_made_anew(
    tmp_path: Path, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    files = opened(tmp_path)
    first = apply(files, batch(log.part(0), shards=1))
    for path in tmp_path.glob("*.sqlite*"):
        path.unlink()
    with caplog.at_level(logging.ERROR):
        answer = apply(files, batch(asked=(0,), shards=1))
    assert "its file is gone" in caplog.text
    assert answer.generation != first.generation
    apply(files, batch(log.part(0), shards=1))
    assert total(files.served.uri) == 6
    files.close()


def test_an_operator_can_have_it_made_anew(tmp_path: Path, log: Log) -> None:
    files = opened(tmp_path)
    first = apply(files, batch(log.part(0), shards=1))
    files.rebuild()
    assert not is_current(files)
    assert total(files.served.uri) == 6
    answer = apply(files, batch(asked=(0,), shards=1))
    assert answer.generation != first.generation
    apply(files, batch(log.part(0), shards=1))
    assert is_current(files)
    assert len(list(tmp_path.glob("*.sqlite"))) == 1
    files.close()


def test_a_view_that_was_away_is_made_anew(tmp_path: Path, log: Log) -> None:
    folder = folder_of(tmp_path, "carts")
    files = opened(folder)
    apply(files, batch(log.part(0), shards=1))
    files.close()
    mark_away(tmp_path, ["carts"])
    assert not (folder / AWAY).exists()
    mark_away(tmp_path, ["others"])
    assert (folder / AWAY).exists()
    files = opened(folder)
    assert not (folder / AWAY).exists()
    assert not is_current(files)
    assert apply(files, batch(asked=(0,))).standings[0].place == (0, 0, 0)
    files.close()


def test_ids_of_views_are_names_of_folders(tmp_path: Path) -> None:
    assert folder_of(tmp_path, "a/../b").parent == tmp_path
    mark_away(tmp_path / "nothing", [])
