"""Where a view's file stands is read as its writer has left it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix.views.standing import behind, here, missing, parked, parked_in, passed, standings
from actorkalix.views.updates import Here
from actorkalix_storage.api import Position
from tests.unit.actorkalix.views.files import File

LARGE = (1 << 64) - 3  # a lineage has no sign


@pytest.fixture
def file(tmp_path: Path) -> Generator[File]:
    made = File(tmp_path / "g1.sqlite")
    yield made
    made.close()


def test_positions_are_read_with_lineages_of_64_bits(file: File) -> None:
    file.stand(3, LARGE, 2, 10, newest=14)
    file.stand(4, 7, 1, 5)
    found = standings(file.read)
    assert found[3].position == Position(LARGE, 2, 10)
    assert found[4].position == Position(7, 1, 5)
    assert behind(found) == 4


def test_what_is_missing_is_what_was_not_passed(file: File) -> None:
    file.stand(3, LARGE, 2, 10)
    found = standings(file.read)
    wanted = {3: Position(LARGE, 2, 11), 4: Position(LARGE, 1, 1)}
    assert missing(found, wanted) == wanted
    assert missing(found, {3: Position(LARGE, 2, 10)}) == {}


PLACES = st.builds(Position, st.integers(0, 1), st.integers(0, 3), st.integers(0, 3))


@given(PLACES, PLACES, PLACES)
def test_who_has_passed_something_has_passed_all_before_it(
    a: Position, b: Position, c: Position
) -> None:
    assert passed(a, a)
    if passed(a, b) and passed(b, c):
        assert passed(a, c)
    if a.lineage != b.lineage:
        assert not passed(a, b)


def test_generation_and_numbers(file: File) -> None:
    file.meta(generation="abc", seq=12, removed_from=3)
    assert here(file.read) == Here("abc", 12, 3)


def test_parked_subjects_of_all_and_of_some_shards(file: File) -> None:
    file.park(3, "c1", 5)
    file.park(9, "c2", 6)
    assert [one.entity for one in parked(file.read, 10)] == ["c1", "c2"]
    assert len(parked(file.read, 1)) == 1
    (only,) = parked_in(file.read, [9, 8])
    assert (only.entity, only.offset, only.failure) == ("c2", 6, "KeyError: 'x'")
