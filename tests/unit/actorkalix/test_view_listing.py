"""What the admin port says of views is JSON that comes back as it was."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix.view_listing import Explained, SqlFound, SqlOrder, ViewOrder, ViewView
from tests.unit.actorkalix.gateway.viewed import CARTS, EXPLAINED, FOUND


@pytest.mark.parametrize(
    "value, shape", [(CARTS, ViewView), (EXPLAINED, Explained), (FOUND, SqlFound)]
)
def test_it_comes_back_as_it_was(value: object, shape: type[object]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(value), type=shape) == value


@pytest.mark.parametrize("shape", [ViewOrder, SqlOrder])
def test_orders_take_nothing_that_they_do_not_know(shape: type[object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"view":"a","sql":"b","other":1}', type=shape)
