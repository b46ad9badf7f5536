"""The home table answers by store."""

from __future__ import annotations

from actorkalix_storage.api import HomeTable


def test_a_home_table_answers_by_store() -> None:
    table = HomeTable(2, ((3,), (0,), (3,)))
    assert table.stores() == (0, 3)
    assert table.of_store(3) == (0, 2)
    assert table.of_store(1) == ()
