"""What files of a view say; `test_view_listing` has it together with what hosts say."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorkalix.errors import ViewIncomplete
from actorkalix.runtime.view_looking import looked_at, parked_in, served
from tests.unit.actorkalix.runtime.counted import VIEW, Written, view


def test_a_file_that_is_whole_is_served(tmp_path: Path) -> None:
    written = Written(tmp_path)
    one = looked_at(VIEW, written.folder, view(), None)
    assert (one.state, one.passed, one.behind) == ("serving", 4, 0)
    assert served(VIEW, written.folder)
    assert parked_in(VIEW, written.folder, 5) == []
    written.files.close()


def test_without_a_file_nothing_is_served(tmp_path: Path) -> None:
    one = looked_at(VIEW, tmp_path, view(), None)
    assert (one.state, one.bytes) == ("incomplete", 0)
    assert [table.name for table in one.tables] == ["tallies"]
    assert served(VIEW, tmp_path) == ""
    with pytest.raises(ViewIncomplete, match="no file yet"):
        parked_in(VIEW, tmp_path, 5)


def test_a_file_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "000001.sqlite").write_bytes(b"x" * 5_000)
    assert "cannot be read" in looked_at(VIEW, tmp_path, view(), None).failure
