"""What a killed worker had started stands on its slip."""

from __future__ import annotations

from pathlib import Path

from actorkalix_cluster.rayhost import slips


def test_what_was_noted_outlives_the_worker(tmp_path: Path) -> None:
    path = tmp_path / "slip"
    slips.blank(path)
    assert slips.started(path, 7) == 0
    slip = slips.Slip(str(path))
    slip.note(7, 1)
    slip.note(7, 2)
    assert slips.started(path, 7) == 2
    slip.close()
    assert slips.started(path, 7) == 2


def test_a_note_of_another_errand_says_nothing_of_this_one(tmp_path: Path) -> None:
    path = tmp_path / "slip"
    slips.blank(path)
    slip = slips.Slip(str(path))
    slip.note(6, 5)
    assert slips.started(path, 7) == 0
    slip.close()


def test_without_a_slip_all_may_have_been_started(tmp_path: Path) -> None:
    assert slips.started(tmp_path / "none", 7) > 1_000
