"""NATS JetStream, against a real server that is killed now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from actorkalix.brokers import Nats
from actorkalix.engine.binding import Incoming
from actorkalix.engine.topic import TopicMessage
from actorkalix.runtime.broker_state import BrokerState
from actorkalix.runtime.extras import library_of
from actorkalix.runtime.nats import Connection, NatsReader, NatsWriter
from actorkalix.runtime.outside import Outgoing
from tests.e2e.flowing import until
from tests.e2e.outside import NatsServer

WAIT_S = 60


class Taken:
    """Keeps what a reader takes."""

    def __init__(self) -> None:
        self.messages: list[Incoming] = []
        self._more = asyncio.Condition()

    async def take(self, topic: str, source: str, messages: Sequence[Incoming]) -> None:
        async with self._more:
            self.messages += messages
            self._more.notify_all()

    async def wait_for(self, *ids: str) -> list[str]:
        """Ids of messages in order, each once, when these are among them."""
        async with asyncio.timeout(WAIT_S), self._more:
            await self._more.wait_for(lambda: {*ids} <= {one.own for one in self.messages})
        return list(dict.fromkeys(one.own for one in self.messages))


class World:
    """A server, a writer, and as many readers as are asked for."""

    def __init__(self, server: NatsServer, **options: Any) -> None:
        self.server = server
        self.config = Nats(server.servers, **options)
        self._connection = Connection(self.config, "shop")
        self.state = BrokerState("orders", "nats orders", lambda: 5)
        self._writer = NatsWriter(self.config, self._connection, {"orders": self.state})

    async def write(self, *numbers: int) -> None:
        """Publish messages; until they are there, as a consumer does."""
        some = [
            Outgoing("@q", 0, TopicMessage("T", "s", f"m{n}", "x", "text/plain", (), b"%d" % n))
            for n in numbers
        ]
        async with asyncio.timeout(WAIT_S):
            while True:
                sending = asyncio.ensure_future(self._writer.send("orders", some))
                await asyncio.wait([sending])
                if sending.exception() is None:
                    return
                await asyncio.sleep(0.1)

    def reader(self, taken: Taken) -> NatsReader:
        link = Connection(self.config, "shop")
        reader = NatsReader(self.config, link, "shop", "orders", self.state, taken.take)
        reader.start()
        return reader

    async def consumers(self) -> list[str]:
        streams = (await self._connection.client()).jetstream()
        found = await streams.consumers_info(await streams.find_stream_name_by_subject("orders"))
        return [one.name for one in found]

    async def aclose(self) -> None:
        await self._connection.aclose()


def run(folder: Path, case: Callable[[World], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def whole(server: NatsServer) -> None:
        world = World(server, **options)
        try:
            await asyncio.wait_for(case(world), 2 * WAIT_S)
        finally:
            await world.aclose()

    with NatsServer(folder) as server:
        asyncio.run(whole(server))


def names(*numbers: int) -> list[str]:
    return [f"m{number}" for number in numbers]


def test_a_reader_goes_on_where_the_one_before_it_has_stopped(tmp_path: Path) -> None:
    async def case(world: World) -> None:
        await world.write(*range(10))
        first, second = Taken(), Taken()
        reader = world.reader(first)
        assert await first.wait_for("m9") == names(*range(10))
        assert first.messages[3].message.metadata[-1][0] == "ce-time"
        assert first.messages[3].message.subject == "s"
        await asyncio.sleep(0.5)  # for its acknowledgement
        await reader.aclose()
        await world.write(10, 11)
        reader = world.reader(second)
        assert await second.wait_for("m11") == names(10, 11)
        assert len(await world.consumers()) == 1
        await reader.aclose()

    run(tmp_path, case)


def test_what_is_sent_twice_is_there_once(tmp_path: Path) -> None:
    async def case(world: World) -> None:
        await world.write(1, 2)
        await world.write(1, 2, 3)
        taken = Taken()
        reader = world.reader(taken)
        await taken.wait_for("m3")
        assert [one.own for one in taken.messages] == names(1, 2, 3)
        await reader.aclose()

    run(tmp_path, case)


def test_a_server_that_is_killed_loses_nothing_and_keeps_the_order(tmp_path: Path) -> None:
    async def case(world: World) -> None:
        taken = Taken()
        reader = world.reader(taken)
        for round_ in range(3):
            await world.write(*range(10 * round_, 10 * round_ + 10))
            await taken.wait_for(f"m{10 * round_ + 5}")
            await asyncio.to_thread(world.server.kill)
            writing = asyncio.create_task(world.write(100 + round_))
            await asyncio.sleep(1)
            await asyncio.to_thread(world.server.start)
            await writing
        found = await taken.wait_for("m102")
        assert found == names(*range(10), 100, *range(10, 20), 101, *range(20, 30), 102)
        await reader.aclose()

    run(tmp_path, case)


def test_a_message_that_was_lost_on_the_way_comes_again(tmp_path: Path) -> None:
    """Two readers at once: each ends the other's session, none passes over what it has not."""

    async def case(world: World) -> None:
        one, other = Taken(), Taken()
        readers = [world.reader(one), world.reader(other)]
        await world.write(*range(50))

        async def seen() -> set[str]:
            return {message.own for message in (*one.messages, *other.messages)}

        async with asyncio.timeout(WAIT_S):
            await until(seen, lambda found: found == {*names(*range(50))})
        for reader in readers:
            await reader.aclose()

    run(tmp_path, case)


@pytest.mark.parametrize("start", ["beginning", "now"])
def test_where_one_begins_that_is_new(tmp_path: Path, start: str) -> None:
    async def case(world: World) -> None:
        await world.write(1, 2)
        taken = Taken()
        reader = world.reader(taken)
        async with asyncio.timeout(WAIT_S):
            await until(world.consumers, bool)
        await world.write(3)
        expected = names(1, 2, 3) if start == "beginning" else names(3)
        assert await taken.wait_for("m3") == expected
        await reader.aclose()

    run(tmp_path, case, start_from=start)


def test_a_stream_that_is_missing_is_told_where_it_is_not_to_be_made(tmp_path: Path) -> None:
    async def case(world: World) -> None:
        reader = world.reader(Taken())

        async def failure() -> str:
            return world.state.view().failure

        async with asyncio.timeout(WAIT_S):
            await until(failure, bool)
        assert "no stream of JetStream has the subject 'orders'" in world.state.view().failure
        await reader.aclose()

    run(tmp_path, case, create=False)


def test_a_message_of_others(tmp_path: Path) -> None:
    async def case(world: World) -> None:
        taken = Taken()
        await world.write(1)
        client = await world._connection.client()
        assert isinstance(client, library_of(Nats).NATS)
        await client.publish("orders", b"\xff\x00")
        await client.flush()
        reader = world.reader(taken)
        await taken.wait_for("m1", "")
        plain = taken.messages[-1].message
        assert (plain.data, plain.subject, plain.type) == (b"\xff\x00", "", "")
        assert plain.content_type == "application/json"
        await reader.aclose()

    run(tmp_path, case)
