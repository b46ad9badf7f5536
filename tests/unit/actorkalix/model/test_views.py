"""Views decide over rows while a table handler runs."""

from __future__ import annotations

import pytest

from .shop import Rows, running


def test_effects_exist_while_a_handler_runs() -> None:
    assert running(Rows).effects.update_row(3).row == 3
    with pytest.raises(RuntimeError, match=r"Rows\.effects exists only while a handler runs"):
        _ = Rows().effects
