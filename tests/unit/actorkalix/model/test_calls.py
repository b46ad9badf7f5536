"""A call is sent or handed on once; a forgotten one is heard of."""

from __future__ import annotations

import asyncio
import gc
import inspect
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from actorkalix import Call, Client, Metadata, NotInThisVersion, Reply, Stream, Update
from actorkalix.errors import InvalidIdempotencyKey
from actorkalix.model.transport import Request, update_of

from .shop import Errand, Shop, Wire


def client_over(wire: Wire) -> Client:
    return Client._over(wire)


def heard(dropped: Callable[[], object]) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dropped()
        gc.collect()
    return caught


def test_awaiting_sends_what_the_call_says_and_gives_the_value() -> None:
    wire = Wire(lambda _request: 3)

    async def main() -> int:
        return await client_over(wire).entity(Shop, "s1").add("pen")

    assert asyncio.run(main()) == 3
    assert wire.carried == [Request(Shop, "s1", "add", ("pen",), {})]


def test_reply_gives_value_token_and_metadata() -> None:
    async def main() -> Reply[int]:
        return await client_over(Wire(lambda _request: 3)).entity(Shop, "s1").add("pen").reply()

    assert asyncio.run(main()) == Reply(3, "t1", {"a": "b"})


def test_options_give_another_call_and_use_up_the_first() -> None:
    wire = Wire()

    async def main() -> None:
        first = client_over(wire).entity(Shop, "s1").add("pen")
        last = (
            first.with_idempotency_key("k")
            .with_metadata({"A": "1"})
            .with_timeout(timedelta(seconds=2))
            .with_retry(3)
        )
        with pytest.raises(RuntimeError, match=r"already replaced by .with_idempotency_key"):
            await first
        await last

    assert not heard(lambda: asyncio.run(main()))
    (sent,) = wire.carried
    assert sent.idempotency_key == "k"
    assert sent.metadata == Metadata({"A": "1"})
    assert sent.timeout == timedelta(seconds=2)
    assert sent.attempts_max == 3


@pytest.mark.parametrize(
    "option,value,error",
    [
        ("with_idempotency_key", "", InvalidIdempotencyKey),
        ("with_idempotency_key", "k" * 129, InvalidIdempotencyKey),
        ("with_retry", 0, ValueError),
        ("with_timeout", timedelta(0), ValueError),
        ("with_timeout", 3, TypeError),
        ("with_metadata", {"n": 3}, TypeError),
    ],
)
def test_options_that_cannot_be_are_refused_at_once(
    option: str, value: Any, error: type[Exception]
) -> None:
    call = client_over(Wire()).entity(Shop, "s1").add("pen")
    with pytest.raises(error):
        getattr(call, option)(value)
    call.spend("done with")


def test_a_call_awaited_twice_raises_with_its_place() -> None:
    async def main() -> None:
        call = client_over(Wire()).entity(Shop, "s1").items()
        await call
        with pytest.raises(
            RuntimeError, match=rf"{__name__.split('.')[-1]}.py:\d+ was already awaited"
        ):
            await call

    asyncio.run(main())


def test_a_call_awaited_by_gather_is_sent() -> None:
    wire = Wire()

    async def main() -> None:
        shop = client_over(wire).entity(Shop, "s1")
        await asyncio.gather(shop.add("pen"), shop.add("ink"))

    assert not heard(lambda: asyncio.run(main()))
    assert [request.args for request in wire.carried] == [("pen",), ("ink",)]


def test_a_forgotten_call_warns_with_file_and_line_of_its_making() -> None:
    shop = client_over(Wire()).entity(Shop, "s1")
    frame = inspect.currentframe()
    assert frame is not None
    line = frame.f_lineno + 2
    (warning,) = heard(
        lambda: shop.add("pen")
    )  # fmt: skip
    assert warning.category is RuntimeWarning
    assert (warning.filename, warning.lineno) == (__file__, line)
    assert "neither sent nor handed on" in str(warning.message)
    assert "<Call Shop('s1').add('pen')>" in str(warning.message)


def test_a_forgotten_option_warns_once() -> None:
    shop = client_over(Wire()).entity(Shop, "s1")
    assert len(heard(lambda: shop.add("pen").with_retry(2).reply())) == 1


def test_a_call_without_a_client_says_what_to_do_with_it() -> None:
    async def main() -> None:
        await Call[None](Request(Shop, "s1", "add"), None, ("shop.py", 3))

    with pytest.raises(RuntimeError, match=r"entities do not wait.*forward"):
        asyncio.run(main())


def test_a_call_that_is_queued_says_so() -> None:
    wire = Wire()

    async def main() -> None:
        call = client_over(wire).entity(Shop, "s1").add("pen")
        await call.send()
        with pytest.raises(RuntimeError, match=r"already sent by \.send\(\)"):
            await call.send()

    asyncio.run(main())
    assert [request.queued for request in wire.carried] == [True]


def test_streams_come_later() -> None:
    client = client_over(Wire())

    async def main() -> None:
        with pytest.raises(NotInThisVersion, match="streams"):
            async for _ in client.action(Errand).ticks():
                pass

    asyncio.run(main())
    with client, pytest.raises(NotInThisVersion, match="streams"):
        list(client.action(Errand).ticks())


def test_updates_of_a_stream_say_where_to_go_on() -> None:
    stream = Stream[int](Request(Shop, None, "rows"), None, ("file.py", 1))
    again = stream.updates(after="g-7")
    assert (again.request.updates, again.request.resume) == (True, "g-7")
    with pytest.raises(RuntimeError, match=r"was already replaced by \.updates"):
        stream.updates()
    fresh = again.with_timeout(timedelta(seconds=1)).updates()
    assert fresh.request.resume is None
    fresh.spend("looked at")


def test_an_element_that_is_no_row_says_whose_it_was() -> None:
    assert update_of("removed", b'{"subject":"c1"}', "g-3") == Update(
        "removed", subject="c1", mark="g-3"
    )
    assert update_of("reset", b"{}", "g-0") == Update("reset", mark="g-0")
