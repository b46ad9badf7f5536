"""Actions see context, client, timers and resources while a handler runs."""

from __future__ import annotations

import pytest

from actorkalix import Client, Context, Timers
from actorkalix.model.component import Live

from .shop import Errand, Wire


def test_while_a_handler_runs_everything_is_there() -> None:
    client, timers, resources = Client._over(Wire()), Timers(), object()
    errand = Errand()
    errand._live = Live(context=Context(), client=client, timers=timers, resources=resources)
    assert errand.client is client
    assert errand.timers is timers
    assert errand.resources is resources
    assert errand.effects.reply(3).decision.reply is not None


@pytest.mark.parametrize("name", ["client", "timers", "resources", "effects", "context"])
def test_outside_a_handler_everything_raises_by_name(name: str) -> None:
    with pytest.raises(RuntimeError, match=rf"Errand\.{name} exists only while a handler runs"):
        getattr(Errand(), name)
