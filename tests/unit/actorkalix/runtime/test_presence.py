"""The note of a running service in its data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorkalix.runtime import presence
from actorkalix.runtime.presence import Presence

NOTE = Presence("shop", 42, "http://127.0.0.1:9000", "http://127.0.0.1:9889", 1)


def test_a_note_is_found_again_by_whoever_may_read_the_folder(tmp_path: Path) -> None:
    presence.announce(tmp_path, NOTE)
    assert presence.find(tmp_path) == NOTE
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]
    assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600


def test_a_later_note_takes_the_place_of_one_left_behind(tmp_path: Path) -> None:
    presence.announce(tmp_path, NOTE)
    later = Presence("shop", 43, NOTE.url, NOTE.admin_url, 2)
    presence.announce(tmp_path, later)
    presence.withdraw(tmp_path, NOTE.pid)
    assert presence.find(tmp_path) == later
    presence.withdraw(tmp_path, later.pid)
    assert presence.find(tmp_path) is None


@pytest.mark.parametrize("garbage", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"service": 1}'])
def test_garbage_is_no_note(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "run.json").write_bytes(garbage)
    assert presence.find(tmp_path) is None
    presence.withdraw(tmp_path, 42)


def test_no_folder_has_no_note(tmp_path: Path) -> None:
    assert presence.find(tmp_path / "none") is None
    assert presence.find(Path("a" * 5000)) is None
