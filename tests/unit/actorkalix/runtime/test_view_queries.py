"""Queries of a view that runs: answers, errors, tokens, streams, in JSON and between processes."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import msgspec
import pytest

from actorkalix.errors import InvalidPayload, RowNotFound
from actorkalix.gateway import tokens
from actorkalix.runtime.view_queries import PATIENCE_MS
from actorkalix.testkit import TestService
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from tests.unit.actorkalix.runtime.counted import VIEW, Counter, Tallies, Tally, count, play


def asked(method: str, **more: Any) -> Message:
    return Message(MessageKind.QUERY, VIEW, "", method, **more)


async def reply(running: TestService, method: str, body: bytes, **more: Any) -> Reply:
    return await running.ask(asked(method, payload=body, **more))


def test_a_row_is_handed_on_as_it_lies_in_the_file() -> None:
    async def case(running: TestService) -> None:
        await count(running, a=2)
        await running.views_caught_up()
        found = await reply(running, "by_name", b'{"name":"a"}')
        assert found.payload == b'{"name":"a","events":2,"total":2}'
        token = tokens.decode(found.token.decode())
        assert token == tokens.Token(running.now_ms)
        packed = await reply(running, "by_name", b'{"name":"a"}', accept=Encoding.MSGPACK)
        assert msgspec.msgpack.decode(packed.payload)["events"] == 2

    play(case)


def test_no_row_is_not_found() -> None:
    async def case(running: TestService) -> None:
        with pytest.raises(RowNotFound, match="by_name found no row"):
            await running.client.view(Tallies).by_name("nobody")

    play(case)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"name":5}', b'{"nome":"a"}', b'"a"'])
def test_wrong_arguments_are_named(body: bytes) -> None:
    async def case(running: TestService) -> None:
        failure = (await reply(running, "by_name", body)).failure
        assert failure is not None
        assert failure.number == InvalidPayload.number

    play(case)


def test_an_unknown_query_is_no_route() -> None:
    async def case(running: TestService) -> None:
        failure = (await reply(running, "nothing", b"")).failure
        assert failure is not None
        assert failure.number == "AK2003"

    play(case)


def test_who_brings_a_token_sees_its_own_change() -> None:
    async def case(running: TestService) -> None:
        view = running.client.view
        for number in range(1, 6):
            added = await running.client.entity(Counter, "a").add().reply()
            row = await view(Tallies, after=added.token).by_name("a").reply()
            assert row.value == Tally("a", number, number)
            assert row.token
            assert (await view(Tallies, after=row.token).by_name("a")).events == number

    play(case)


def test_a_stream_has_all_rows_and_ends() -> None:
    async def case(running: TestService) -> None:
        await count(running, a=1, b=2, c=3)
        await running.views_caught_up()
        rows = [row async for row in running.client.view(Tallies).larger(1)]
        assert sorted(row.name for row in rows) == ["b", "c"]

    play(case)


def test_updates_come_as_they_happen() -> None:
    async def case(running: TestService) -> None:
        await count(running, a=3)
        await running.views_caught_up()
        async with aclosing(aiter(running.client.view(Tallies).watch(2).updates())) as updates:
            first = await anext(updates)
            assert (first.kind, first.value) == ("row", Tally("a", 3, 3))
            coming = asyncio.ensure_future(anext(updates))
            await count(running, b=3)
            assert (await coming).value == Tally("b", 3, 3)
            await running.client.entity(Counter, "a").close()
            gone = await anext(updates)
            assert (gone.kind, gone.subject) == ("removed", "a")
        again = running.client.view(Tallies).watch(2).updates(after=first.mark)
        async with aclosing(aiter(again)) as updates:
            assert (await anext(updates)).value == Tally("b", 3, 3)
            assert (await anext(updates)).subject == "a"
        async with aclosing(
            aiter(running.client.view(Tallies).watch(2).updates(after="other-1"))
        ) as updates:
            assert (await anext(updates)).kind == "reset"

    play(case)


def test_rows_alone_leave_out_what_is_gone() -> None:
    async def case(running: TestService) -> None:
        await count(running, a=3, b=3)
        await running.views_caught_up()
        async with aclosing(aiter(running.client.view(Tallies).watch(2))) as rows:
            assert {(await anext(rows)).name, (await anext(rows)).name} == {"a", "b"}
            await running.client.entity(Counter, "a").close()
            coming = asyncio.ensure_future(anext(rows))
            await count(running, c=3)
            assert (await coming).name == "c"

    play(case)


def test_wrong_arguments_of_a_stream_are_its_only_element() -> None:
    async def case(running: TestService) -> None:
        for method in ("larger", "watch", "nothing"):
            message = asked(method, payload=b'{"more_than":"x"}')
            replies = [each async for each in running.stream(message)]
            assert [each.failure is not None for each in replies] == [True]

    play(case)


def test_what_failed_is_counted() -> None:
    async def case(running: TestService) -> None:
        await reply(running, "by_name", b'{"name":"nobody"}')
        await reply(running, "by_name", b"{")
        assert running._desks[VIEW].runner.failed == {"AK2036": 1, "AK2002": 1}

    play(case)


def test_a_view_that_has_just_begun_is_waited_for() -> None:
    assert 5_000 < PATIENCE_MS < 60_000
