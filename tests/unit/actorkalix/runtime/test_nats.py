"""What there is of NATS without a server; `tests/e2e/test_nats.py` has one."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.brokers import Nats
from actorkalix.engine.topic import TopicMessage
from actorkalix.runtime.broker_state import BrokerState
from actorkalix.runtime.nats import Connection, NatsWriter, name_for
from actorkalix.runtime.outside import Outgoing


def test_names_of_streams_and_consumers() -> None:
    assert name_for("shop.orders v2/ä") == "shop_orders_v2_ä"
    assert name_for("a-b_C9") == "a-b_C9"


def test_a_server_that_is_not_there_is_told() -> None:
    async def case() -> None:
        config = Nats("nats://127.0.0.1:1")
        connection, state = Connection(config, "shop"), BrokerState("~to:a", "nats a", lambda: 5)
        writer = NatsWriter(config, connection, {"a": state})
        made = TopicMessage("T", "s", "m1", "here", "text/plain", (), b"1")
        with pytest.raises(Exception, match="no servers"):
            await writer.send("a", [Outgoing("@q", 0, made)])
        assert state.away
        assert "no servers" in state.view().failure
        await connection.aclose()

    asyncio.run(case())
