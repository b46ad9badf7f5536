"""Asking other services: what Ray says becomes errors that users know."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.errors import InternalError, ServiceNotThere, StreamNotOffered
from actorkalix.runtime.other_services import OtherServices
from actorkalix_cluster.rayhost.contract import CallRefused, Refused
from actorkalix_cluster.rayhost.others import ServiceAway


class Ways:
    """Answers, or raises."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer

    async def call(self, service: str, method: str, arguments: bytes, /) -> bytes:
        assert (service, method, arguments) == ("shop", "streams.read", b"x")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _ask(answer: bytes | Exception) -> bytes:
    return asyncio.run(OtherServices(Ways(answer)).call("shop", "streams.read", b"x"))


def test_an_answer() -> None:
    assert _ask(b"y") == b"y"


@pytest.mark.parametrize(
    "there, said",
    [
        ((), "no shop"),
        (("shops", "z"), "no shop; did you mean shops?; there is shops, z"),
        (("shop",), "no shop; there is shop"),
    ],
)
def test_one_that_is_not_there(there: tuple[str, ...], said: str) -> None:
    with pytest.raises(ServiceNotThere) as caught:
        _ask(ServiceAway("no shop", there))
    assert str(caught.value) == said


def test_what_it_says_instead() -> None:
    with pytest.raises(StreamNotOffered, match="not to you"):
        _ask(CallRefused(Refused("AK2021", "not to you")))
    with pytest.raises(InternalError, match="what"):
        _ask(CallRefused(Refused("", "what")))
