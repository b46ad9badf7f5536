"""The one payload that the storage reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix_storage.api import trim_of, trim_payload

_NUMBERS = st.integers(0, (1 << 64) - 1)


@given(_NUMBERS, _NUMBERS, st.binary(max_size=50))
def test_a_trim_comes_back(offset: int, size: int, rest: bytes) -> None:
    assert trim_of(trim_payload(offset, size, rest)) == (offset, size, rest)


def test_what_is_too_short_is_none() -> None:
    with pytest.raises(ValueError, match="15 bytes"):
        trim_of(bytes(15))
