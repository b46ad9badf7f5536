"""Methods of hosts: values on both sides, and an end to waiting."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.errors import OwnerAway
from actorkalix.runtime.fanout import LocalCalls
from actorkalix.runtime.host_methods import answer_of, host_method


async def double(number: int) -> int:
    return 2 * number


async def hang(_: bytes) -> bytes:
    await asyncio.Event().wait()
    return b""


CALLS = LocalCalls({3: {"double": host_method(int, double), "hang": hang}})


@pytest.mark.parametrize("wait_s", [None, 5.0])
def test_values_go_there_and_come_back(wait_s: float | None) -> None:
    assert asyncio.run(answer_of(CALLS, 3, "double", 21, int, wait_s)) == 42


def test_who_does_not_answer_in_time_is_away() -> None:
    with pytest.raises(OwnerAway, match="store 3: no answer within"):
        asyncio.run(answer_of(CALLS, 3, "hang", None, int, 0.01))
