"""Kits of later versions say so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actorkalix import NotInThisVersion
from actorkalix.testkit import WorkflowTestKit
from tests.unit.actorkalix.model.shop import Trip


@pytest.mark.parametrize(
    "use,name",
    [
        (lambda: WorkflowTestKit(Trip), "WorkflowTestKit"),
    ],
)
def test_they_raise_by_name(use: Callable[[], object], name: str) -> None:
    with pytest.raises(NotInThisVersion, match=f"{name} comes with a later version"):
        use()
