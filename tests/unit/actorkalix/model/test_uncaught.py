"""Wrong uses that both checkers let through: the model says them at run time, with the way out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actorkalix import Calls, Client, Ref

from .shop import Basket, Shop, Wire, running

calls = Calls()


async def takes(shop: Ref[Shop]) -> int:
    return await shop.add("pen")


def test_a_forgotten_await() -> None:
    forgotten = [calls.entity(Shop, "s1").add("pen")]
    with pytest.warns(RuntimeWarning, match=r"neither sent nor handed on; is an `await` missing"):
        forgotten.clear()


def test_a_handler_called_on_the_bare_class() -> None:
    with pytest.raises(TypeError, match=r"write client\.entity\(Shop, entity_id\)\.add\(item\)"):
        _ = Shop.add("pen")


def test_a_class_given_where_a_reference_is_wanted() -> None:
    with pytest.raises(TypeError, match=r"write client\.entity\(Shop, entity_id\)\.add\(item\)"):
        asyncio.run(takes(Shop))


def test_a_static_method_through_a_reference() -> None:
    with pytest.raises(AttributeError, match=r"no handler 'cost'.*Its handlers: add, items"):
        calls.entity(Shop, "s1").cost(3)


def test_a_property_through_a_reference() -> None:
    with pytest.raises(AttributeError, match=r"no handler 'state'.*Its handlers: add, items"):
        _ = calls.entity(Shop, "s1").state


def test_a_reference_constructed() -> None:
    with pytest.raises(TypeError, match="is a reference, not a class"):
        calls.entity(Shop, "s1")()


def test_an_entity_constructed_by_hand() -> None:
    with pytest.raises(RuntimeError, match=r"Shop\.state exists only while a handler runs"):
        _ = Shop().state


def test_a_blocking_result_in_async_code() -> None:
    async def main() -> Any:
        return client.entity(Shop, "s1").items().result()

    with Client._over(Wire()) as client, pytest.raises(RuntimeError, match="write `await`"):
        asyncio.run(main())


def test_a_call_awaited_twice() -> None:
    async def main() -> None:
        call = Client._over(Wire()).entity(Shop, "s1").items()
        await call
        await call

    with pytest.raises(RuntimeError, match="was already awaited; a call is used once"):
        asyncio.run(main())


def test_a_call_handed_to_two_effects() -> None:
    call = calls.entity(Shop, "s1").add("pen")
    effects = running(Shop, Basket()).effects
    effects.persist().side_effect(call)
    with pytest.raises(RuntimeError, match=r"already handed to \.side_effect"):
        effects.forward(call)
