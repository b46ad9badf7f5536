"""Views in memory."""

from __future__ import annotations

import sqlite3

from actorkalix.describe.descriptors import described
from actorkalix.views.memory import MemoryView
from actorkalix_cluster.shardhost.feeding import pack_batch, unpack_answer
from tests.unit.actorkalix.views.shop import Carts, Log, batch


def new_view() -> MemoryView:
    component = described(Carts)
    assert component is not None
    return MemoryView(component)


def test_others_in_the_process_read_it() -> None:
    view, log = new_view(), Log()
    log.add("a", 1)
    answer = unpack_answer(view.apply(pack_batch(batch(log.part(0), shards=1))))
    assert answer.standings[0].place == log.place(1)
    assert (view.served.whole, view.served.current) == (True, True)
    reader = sqlite3.connect(view.served.uri, uri=True)
    assert reader.execute("SELECT cart_id, quantity FROM carts").fetchall() == [("a", 1)]
    reader.close()
    view.close()


def test_it_goes_on_where_it_was_after_a_restart() -> None:
    view, log = new_view(), Log()
    log.add("a", 1)
    view.apply(pack_batch(batch(log.part(0))))
    view.restart()
    view.apply(pack_batch(batch(log.part(0))))
    log.add("a", 2)
    view.apply(pack_batch(batch(log.part(1))))
    reader = sqlite3.connect(view.uri, uri=True)
    assert reader.execute("SELECT quantity FROM carts").fetchall() == [(3,)]
    reader.close()
    view.close()


def test_two_views_have_nothing_in_common() -> None:
    one, other, log = new_view(), new_view(), Log()
    log.add("a", 1)
    one.apply(pack_batch(batch(log.part(0))))
    reader = sqlite3.connect(other.uri, uri=True)
    assert reader.execute("SELECT count(*) FROM carts").fetchall() == [(0,)]
    for each in (reader, one, other):
        each.close()
