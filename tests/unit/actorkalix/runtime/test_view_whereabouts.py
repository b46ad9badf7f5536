"""Where a view lives: a place that may have missed something is never gone on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorkalix.runtime.view_whereabouts import HERE, NOTE, begin, far_node, settle, views_on
from actorkalix.views.files import AWAY


def test_a_view_that_never_moved_goes_on(tmp_path: Path) -> None:
    assert far_node(tmp_path) == HERE
    assert not begin(tmp_path, HERE)
    assert not (tmp_path / NOTE).exists(), "nothing is written where nothing moves"


def test_it_is_made_anew_wherever_it_comes_to(tmp_path: Path) -> None:
    folder = tmp_path / "carts"
    assert begin(folder, "attic")
    settle(folder, "attic")
    assert far_node(folder) == "attic"
    assert not begin(folder, "attic"), "it was there last"
    assert begin(folder, "cellar")
    settle(folder, "cellar")
    assert begin(folder, "attic"), "what lies there has missed something"
    settle(folder, "attic")
    assert begin(folder, HERE)
    settle(folder, HERE)
    assert not begin(folder, HERE)


def test_a_crash_on_the_way_costs_a_rebuild(tmp_path: Path) -> None:
    begin(tmp_path, "attic")
    settle(tmp_path, "attic")
    begin(tmp_path, "cellar")
    assert begin(tmp_path, "attic") and begin(tmp_path, "attic")
    settle(tmp_path, "attic")
    assert not begin(tmp_path, "attic")


def test_a_view_that_did_not_run_for_some_time_is_made_anew_elsewhere_too(tmp_path: Path) -> None:
    begin(tmp_path, "attic")
    settle(tmp_path, "attic")
    (tmp_path / AWAY).touch()
    assert begin(tmp_path, "attic")
    assert not (tmp_path / AWAY).exists()


@pytest.mark.parametrize("text", [b"", b"{", b"5"])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, text: bytes) -> None:
    (tmp_path / NOTE).write_bytes(text)
    assert begin(tmp_path, HERE)


def test_other_nodes_have_a_folder_of_their_own() -> None:
    assert views_on(Path("/d/views"), "a/b") == Path("/d/views@a%2Fb")
