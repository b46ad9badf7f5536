"""Other services on the same Ray: found by the names of their actors, asked, found again."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import Any

import msgspec
import pytest

from actorkalix_cluster.rayhost import others as module
from actorkalix_cluster.rayhost.contract import Answered, CallRefused, Refused
from actorkalix_cluster.rayhost.others import Others, ServiceAway, controller_of

NAMES = (
    "shop-ak-0a1b/controller-1",
    "shop-ak-0a1b/controller-12",
    "shop-ak-0a1b/controller-9",
    "shop-ak-0a1b/host-3",
    "shop-eu-ak-77ff/controller-1",
    "two-ak-01/controller-1",
    "two-ak-02/controller-1",
    "somebody",
)


def test_the_newest_controller_of_a_name() -> None:
    assert controller_of("shop", NAMES) == "shop-ak-0a1b/controller-12"
    assert controller_of("shop-eu", NAMES) == "shop-eu-ak-77ff/controller-1"


def test_names_that_lead_nowhere() -> None:
    with pytest.raises(ServiceAway, match="no service 'shops' runs on this Ray") as caught:
        controller_of("shops", NAMES)
    assert caught.value.there == ("shop", "shop-eu", "two")
    with pytest.raises(ServiceAway, match="2 services of the name 'two'"):
        controller_of("two", NAMES)


class Gone(Exception):
    """In place of Ray's error."""


class Controller:
    """An actor; its answers are given."""

    def __init__(self, name: str, answer: bytes | Exception) -> None:
        self.name = name
        self._answer = answer
        self.call = self

    def remote(self, method: str, arguments: bytes) -> Controller:
        assert (method, arguments) == ("streams.read", b"x")
        return self

    def future(self) -> concurrent.futures.Future[bytes]:
        made: concurrent.futures.Future[bytes] = concurrent.futures.Future()
        if isinstance(self._answer, Exception):
            made.set_exception(self._answer)
        else:
            made.set_result(self._answer)
        return made


class Directory:
    """In place of Ray's."""

    def __init__(self) -> None:
        self.actors: list[Controller] = []

    def list_named_actors(self, all_namespaces: bool) -> list[dict[str, str]]:
        assert all_namespaces
        found = [{"name": one.name, "namespace": "actorkalix"} for one in self.actors]
        return [*found, {"name": "shop-ak-ff/controller-1", "namespace": "theirs"}]

    def get_actor(self, name: str, namespace: str) -> Any:
        assert namespace == "actorkalix"
        return next(one for one in self.actors if one.name == name)


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Directory:
    made = Directory()

    def named(name: str) -> Directory:
        return made

    monkeypatch.setattr(module, "module", named)
    monkeypatch.setattr(module, "actor_error", lambda: Gone)
    monkeypatch.setattr(module, "ray_error", lambda: Gone)
    return made


def _answered(value: bytes) -> bytes:
    return msgspec.msgpack.encode(Answered(value))


def test_a_controller_that_was_replaced_is_found_again(directory: Directory) -> None:
    async def case() -> None:
        others = Others()
        with pytest.raises(ServiceAway, match="no service 'shop'"):
            await others.call("shop", "streams.read", b"x")
        directory.actors = [Controller("shop-ak-0a/controller-1", Gone("it died"))]
        with pytest.raises(ServiceAway, match="shop has ended: Gone"):
            await others.call("shop", "streams.read", b"x")
        directory.actors = [Controller("shop-ak-0a/controller-2", _answered(b"y"))]
        assert await others.call("shop", "streams.read", b"x") == b"y"

    asyncio.run(case())


def test_what_it_says_instead(directory: Directory) -> None:
    refused = msgspec.msgpack.encode(Refused("AK2021", "not to you"))
    directory.actors = [Controller("shop-ak-0a/controller-1", refused)]
    with pytest.raises(CallRefused, match="not to you"):
        asyncio.run(Others().call("shop", "streams.read", b"x"))
