"""Methods that hosts offer by name, and asking them: values here, msgpack in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from actorkalix.errors import OwnerAway
from actorkalix.ports import HostCalls, HostMethod

T = TypeVar("T")


def host_method(shape: type[T], answer: Callable[[T], Awaitable[Any]]) -> HostMethod:
    """A method of a host, from one that takes and gives values instead of bytes.

    Args:
        shape: of the arguments.
        answer: gives what msgpack can hold.
    """

    async def method(arguments: bytes) -> bytes:
        asked = msgspec.msgpack.decode(arguments, type=shape)
        return msgspec.msgpack.encode(await answer(asked))

    return method


async def answer_of(
    calls: HostCalls, store: int, method: str, asked: object, shape: type[T], wait_s: float | None
) -> T:
    """Ask the host of a store.

    Args:
        calls: ways to the hosts.
        store: number of the store.
        method: name of the method.
        asked: its arguments.
        shape: of the answer.
        wait_s: until the answer must be there; None waits without end.

    Raises:
        OwnerAway: no answer in time, or no host has the store.
        ActorkalixError: what the host answered instead.
    """
    arguments = msgspec.msgpack.encode(asked)
    try:
        async with asyncio.timeout(wait_s):
            answer = await calls.call(store, method, arguments)
    except TimeoutError:
        raise OwnerAway(f"store {store}: no answer within {wait_s:g} s") from None
    return msgspec.msgpack.decode(answer, type=shape)
