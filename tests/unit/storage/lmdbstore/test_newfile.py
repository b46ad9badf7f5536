"""A file that is written once and hashed on the way."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import pytest

from actorkalix_storage.lmdbstore.newfile import SYNC_BYTES, NewFile


def test_it_is_what_was_written_and_so_is_its_hash(tmp_path: Path) -> None:
    pieces = [b"first", b"", bytes(SYNC_BYTES), b"last"]
    file = NewFile(tmp_path / "file")
    for piece in pieces:
        file.write(piece)
    digest = file.finish()
    file.close()
    whole = b"".join(pieces)
    assert (tmp_path / "file").read_bytes() == whole
    assert (file.size, digest) == (len(whole), blake2b(whole, digest_size=32).hexdigest())


def test_a_file_that_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError):
        NewFile(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_it_removes_itself_and_nothing_else_of_its_name(tmp_path: Path) -> None:
    first = NewFile(tmp_path / "file")
    first.remove()
    first.remove()
    assert not (tmp_path / "file").exists()
    second = NewFile(tmp_path / "file")
    second.write(b"second")
    first.remove()
    assert (tmp_path / "file").read_bytes() == b"second"
    first.close()
    second.close()
