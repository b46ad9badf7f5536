"""The collector of cycles looks rarely, and finds what there is."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from actorkalix_cluster.shardhost.collector import MIDDLE, OLD, YOUNG, look_rarely


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me = self


def test_what_is_there_is_not_looked_at_again() -> None:
    gone = weakref.ref(Knot())
    look_rarely()
    assert gone() is None, "garbage is not kept"
    assert gc.get_threshold() == (YOUNG, MIDDLE, OLD)
    assert gc.get_freeze_count() > 10_000


def test_cycles_go_all_the_same() -> None:
    look_rarely()
    gone = weakref.ref(Knot())
    kept = [Knot() for _ in range(YOUNG + 1)]
    assert gone() is None
    assert len(kept) > YOUNG
