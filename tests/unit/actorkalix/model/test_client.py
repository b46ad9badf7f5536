"""References have the handlers of their class alone; clients know who carries their calls."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, cast

import pytest

from actorkalix import Calls, Client, NotInThisVersion
from actorkalix.errors import InvalidEntityId
from actorkalix.model.client import TRANSPORTS
from actorkalix.model.transport import Request
from actorkalix.model.workflows import CONTROLS

from .shop import Errand, Note, Rows, Shop, Trip, Wire

calls = Calls()


def said_by(call: Any) -> Request:
    said: Request = call.spend("looked at")
    return said


def test_calls_say_whom_to_ask() -> None:
    assert said_by(calls.entity(Shop, "s1").add(item="pen")) == Request(
        Shop, "s1", "add", (), {"item": "pen"}
    )
    assert said_by(calls.workflow(Trip, "t1").start()).entity_id == "t1"
    assert said_by(calls.action(Errand).run("s1")).entity_id is None
    assert said_by(calls.view(Rows, after="t").by_id("x")).after == "t"


def test_a_reference_shows_its_handlers_alone() -> None:
    shop = calls.entity(Shop, "s1")
    assert dir(shop) == ["add", "items"]
    assert repr(shop) == "<reference to Shop 's1'>"


@pytest.mark.parametrize("name", ["state", "effects", "count", "cost", "empty_state", "_live"])
def test_what_is_no_handler_is_refused_with_the_handlers_listed(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"no handler '{name}' .*Its handlers: add, items"):
        getattr(calls.entity(Shop, "s1"), name)


def test_a_misspelled_handler_is_refused_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r"did you mean 'items'\?"):
        _ = cast("Any", calls.entity(Shop, "s1")).itms
    assert not hasattr(calls.entity(Shop, "s1"), "nothing")


def test_a_step_and_a_hidden_handler_are_no_handlers() -> None:
    class Quiet(Shop, id="quiet"):
        items: Any = None

    assert dir(calls.workflow(Trip, "t1")) == sorted((*CONTROLS, "start"))
    assert dir(calls.entity(Quiet, "q")) == ["add"]


def test_a_reference_is_no_class() -> None:
    with pytest.raises(TypeError, match="is a reference, not a class"):
        calls.entity(Shop, "s1")()


@pytest.mark.parametrize("entity_id", ["", None, 7, "a\nb", "x" * 257, "é" * 129, "\ud800"])
def test_es_02_bad_entity_ids_are_refused_before_sending(entity_id: Any) -> None:
    with pytest.raises(InvalidEntityId):
        calls.entity(Shop, entity_id)


@pytest.mark.parametrize(
    "kind,given,write",
    [
        ("entity", (Trip, "t"), r"client.workflow\(Trip, workflow_id\)"),
        ("entity", (Rows, "t"), r"client.view\(Rows\)"),
        ("action", (Note,), r"client.entity\(Note, entity_id\)"),
        ("view", (Errand,), r"client.action\(Errand\)"),
        ("entity", (int, "t"), "takes a component class"),
        ("entity", (Shop(), "t"), "takes a component class"),
    ],
)
def test_the_wrong_kind_is_refused_with_the_right_line(
    kind: str, given: tuple[Any, ...], write: str
) -> None:
    with pytest.raises(TypeError, match=write):
        getattr(calls, kind)(*given)


def test_a_client_is_made_for_http_and_finds_its_transport_at_the_first_call() -> None:
    assert set(TRANSPORTS) == {"http", "https"}
    with pytest.raises(ValueError, match=r"begins with http:// or https://"):
        Client("localhost:9000")
    with pytest.raises(NotInThisVersion, match="gRPC"):
        Client("grpc://localhost:9001")


def test_async_with_closes_the_transport_and_refuses_more() -> None:
    wire = Wire()

    async def main() -> None:
        async with Client._over(wire) as client:
            await client.entity(Note, "n").write("x")
        assert wire.closed
        with pytest.raises(RuntimeError, match="closed"):
            await client.entity(Note, "n").write("y")

    asyncio.run(main())
    assert len(wire.carried) == 1


def test_with_serves_scripts_from_a_thread_of_its_own() -> None:
    wire = Wire(lambda request: len(request.args))
    with Client._over(wire) as client:
        assert client.entity(Shop, "s1").add("pen").result() == 1
        assert (
            client.entity(Shop, "s1").add("pen").reply().result(timedelta(seconds=9)).token == "t1"
        )
    assert wire.closed
    with pytest.raises(RuntimeError, match="closed"):
        client.entity(Shop, "s1").add("pen").result()


def test_result_on_a_running_loop_says_await() -> None:
    async def main() -> None:
        client.entity(Shop, "s1").add("pen").result()

    with Client._over(Wire()) as client, pytest.raises(RuntimeError, match="write `await`"):
        asyncio.run(main())


def test_result_without_with_and_await_under_with_say_what_is_missing() -> None:
    client = Client._over(Wire())
    with pytest.raises(RuntimeError, match=r"with Client\(...\) as client"):
        client.entity(Shop, "s1").add("pen").result()

    async def main() -> None:
        await client.entity(Shop, "s1").add("pen")

    with client, pytest.raises(RuntimeError, match=r"async with"):
        asyncio.run(main())
