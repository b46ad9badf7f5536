"""A view's own process: opens the file when told, takes batches, answers what is asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from actorkalix.errors import UnknownRoute, ViewIncomplete
from actorkalix.runtime.far_frames import EXCHANGE, Asked, Said, heard_in, packed
from actorkalix.runtime.loading import resolve
from actorkalix.runtime.projecting import Projecting, ViewConfig, WriterStats
from actorkalix_cluster.shardhost.feeding import (
    BEGINNING,
    FEED_VERSION,
    Batch,
    Range,
    pack_batch,
    unpack_answer,
)
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from tests.e2e import counting_service
from tests.unit.actorkalix.runtime.counted import VIEW, Written

SERVICE = f"{counting_service.__file__}:service"


def config(folder: Path, view: str = VIEW) -> ViewConfig:
    return ViewConfig(resolve(SERVICE, None), view, str(folder))


def play(folder: Path, case: Callable[[Projecting], Awaitable[None]]) -> None:
    async def main() -> None:
        process = Projecting(config(folder))
        await process.call("open", b"")
        await case(process)
        await process.aclose()

    asyncio.run(main())


def batch() -> bytes:
    return pack_batch(
        Batch(FEED_VERSION, 0, 1, 0, ranges=(Range(0, BEGINNING, (7, 1, 3), newest=3),))
    )


def test_batches_are_taken_and_answered(tmp_path: Path) -> None:
    async def case(process: Projecting) -> None:
        answer = unpack_answer(await process.call("apply", batch()))
        assert [standing.place for standing in answer.standings] == [(7, 1, 3)]
        await process.call("open", b"")  # a keeper that finds it asks again
        stats = msgspec.msgpack.decode(await process.call("stats", b""), type=WriterStats)
        assert stats.whole
        assert stats.pid == process.beat().pid

    play(tmp_path, case)


def test_a_rebuild_begins_a_file_beside_the_other(tmp_path: Path) -> None:
    async def case(process: Projecting) -> None:
        await process.call("apply", batch())
        await process.call("rebuild", b"")
        assert len(list((tmp_path / VIEW).glob("*.sqlite"))) == 2

    play(tmp_path, case)


def test_nothing_is_taken_before_it_has_opened(tmp_path: Path) -> None:
    process = Projecting(config(tmp_path))
    for method in ("apply", "stats", "rebuild"):
        with pytest.raises(ViewIncomplete):
            asyncio.run(process.call(method, b""))
    with pytest.raises(UnknownRoute):
        asyncio.run(process.call("nothing", b""))


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    written = Written(tmp_path)
    process = Projecting(config(tmp_path))
    with pytest.raises(ViewIncomplete, match="another process writes the view"):
        asyncio.run(process.call("open", b""))
    written.files.close()


def test_a_view_that_the_code_has_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownRoute, match="no view 'other' any more"):
        Projecting(config(tmp_path, "other"))


def test_a_sign_of_life_waits_for_nothing(tmp_path: Path) -> None:
    beat = Projecting(config(tmp_path)).beat()
    assert (beat.state, beat.store) == ("serving", -1)


def test_queries_of_other_nodes_are_answered(tmp_path: Path) -> None:
    async def case(process: Projecting) -> None:
        await process.call("apply", batch())
        message = Message(MessageKind.QUERY, VIEW, "", "sum")
        said = Said(5, 0, 1, 7, (Asked(1, False, 0, message),))
        heard = heard_in(await process.call(EXCHANGE, packed(said)))
        [element] = heard.elements
        assert element.last and element.reply.payload == b'{"counters":0,"events":null}'
        look = msgspec.json.decode(await process.call("look", b""))
        assert look["state"] == "serving"

    play(tmp_path, case)


def test_what_has_missed_something_is_made_anew(tmp_path: Path) -> None:
    async def main() -> None:
        written = Written(tmp_path)
        written.files.close()
        [old] = written.folder.glob("*.sqlite")
        process = Projecting(msgspec.structs.replace(config(tmp_path), fresh=True))
        await process.call("open", b"")
        newest = max(written.folder.glob("*.sqlite"))
        assert newest != old
        await process.call("open", b"")
        assert max(written.folder.glob("*.sqlite")) == newest, "once"
        await process.aclose()

    asyncio.run(main())
