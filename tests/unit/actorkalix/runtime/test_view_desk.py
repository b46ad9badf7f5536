"""A desk has what queries of a view need, and closes it."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from actorkalix.limits import Limits
from actorkalix.runtime.view_desk import ViewDesk
from actorkalix.views.serving import Serving
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from tests.unit.actorkalix.runtime.counted import VIEW, Shards, Written, clock, view


def desk_of(written: Written) -> ViewDesk:
    serving = Serving(VIEW, written.folder)
    return ViewDesk(view(), serving, Shards(), clock(), Limits(), look_every_s=0)


SUM = Message(MessageKind.QUERY, VIEW, "", "sum")


def test_small_queries_are_answered_at_once(tmp_path: Path) -> None:
    written = Written(tmp_path)
    desk = desk_of(written)
    answer = desk.runner.begin(SUM)
    assert answer is not None
    assert answer.payload == b'{"counters":0,"events":null}'
    asyncio.run(desk.aclose())
    written.files.close()


def test_the_watcher_sees_changes_and_other_files(tmp_path: Path) -> None:
    written = Written(tmp_path)
    desk = desk_of(written)
    before = desk.watcher.look()
    assert desk.watcher.look() == before
    db = sqlite3.connect(written.files.served.uri, uri=True)
    db.execute('UPDATE "$meta" SET "value" = 5 WHERE "key" = \'seq\'')
    db.commit()
    db.close()
    assert desk.watcher.look() == before + 1
    asyncio.run(desk.aclose())
    written.files.close()


def test_after_closing_nothing_is_open(tmp_path: Path) -> None:
    written = Written(tmp_path)
    desk = desk_of(written)
    reader = desk.pool.reader()
    asyncio.run(desk.aclose())
    with pytest.raises(sqlite3.ProgrammingError):
        reader.version()
    written.files.close()
