"""Names of states that are written ahead."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix_storage.api import Ahead, Damaged
from actorkalix_storage.api.ahead import name_of, pack_name


@given(st.binary(min_size=1, max_size=50), st.integers(1, 20))
def test_a_name_comes_with_the_last_byte(payload: bytes, step: int) -> None:
    ahead = Ahead(3, "cart", "a", payload)
    ahead.number = 7
    more = True
    while more:
        assert ahead.name == b""
        more = ahead.advance(min(ahead.written + step, len(payload)))
    assert name_of(ahead.name) == (7, len(payload), crc32(payload))
    assert ahead.subject == (3, "cart", "a")


def test_what_is_no_name_is_damage() -> None:
    assert name_of(pack_name(1, 2, 3)) == (1, 2, 3)
    with pytest.raises(Damaged, match="19 bytes"):
        name_of(b"x" * 19)
