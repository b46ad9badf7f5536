"""A load knows how far it has come."""

from __future__ import annotations

import pytest

from actorkalix_storage.api import Damaged, Head, Load


def test_a_load_is_new_then_begun_then_over() -> None:
    load = Load(3, "cart", "a")
    assert load.subject == (3, "cart", "a")
    assert (load.begun, load.over) == (False, False)
    load.head = Head(2, 2, 1, 1, 2)
    assert (load.begun, load.over) == (True, False)
    load.end(None)
    assert (load.begun, load.over, load.found) == (False, True, None)


def test_a_load_ends_once_and_lets_go_what_it_held() -> None:
    load = Load(3, "cart", "a")
    error = Damaged("crc")
    load.end(error)
    assert load.found is error
    assert (load.snapshot, load.records) == (None, [])
    with pytest.raises(AssertionError):
        load.end(None)
