"""Kits of later versions say so."""

from __future__ import annotations

import pytest

from actorkalix import NotInThisVersion
from actorkalix.testkit import ViewTestKit
from tests.unit.actorkalix.model.shop import Rows


def test_they_raise_by_name() -> None:
    with pytest.raises(NotInThisVersion, match="ViewTestKit comes with a later version"):
        ViewTestKit(Rows)
