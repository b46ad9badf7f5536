"""The contract of reading: subjects, timers, cleanup, logs, one test a promise."""

from __future__ import annotations

import pytest

from actorkalix_storage.api import (
    History,
    Load,
    RecordKind,
    Snapshot,
    TimerKind,
)
from actorkalix_storage.api.loads import LOOK_RECORDS

from .base import HOUR_MS, KEY, Contract
from .harness import START_MS, cleaned, deleted, event, reply, state, write


class ReadingContract(Contract):
    """What a store promises to who reads."""

    # ---- subjects -------------------------------------------------------------------------
    @pytest.mark.parametrize("again", ["stay", "checkpoint", "reopen", "crash"])
    def test_heads_say_what_the_records_say(self, again: str) -> None:
        first = write(self.store, event(1, expires_ms=START_MS + 9)).position
        last = write(self.store, event(2), reply(2, KEY, b"r")).position
        if again != "stay":
            getattr(self.harness, again)()
        head = self.store.head(0, "cart", "a")
        assert head is not None
        assert (head.version, head.number, head.incarnation) == (3, 2, first.offset)
        assert (head.epoch, head.offset, head.expires_ms) == (last.epoch, last.offset, 0)
        assert (head.deleted_ms, head.state_offset, head.time_ms) == (0, 0, START_MS)

    @pytest.mark.parametrize("again", ["stay", "checkpoint", "reopen", "crash"])
    def test_a_snapshot_and_the_events_after_it_are_all_events(self, again: str) -> None:
        for number in range(1, 8):
            write(self.store, event(number, b"%d" % number, key=b"" if number % 2 else KEY))
        head = self.store.head(0, "cart", "a")
        assert head is not None
        at = self.store.history(0, "cart", "a")[3]
        big = b"1234" * 60_000
        snapshot = Snapshot(head.incarnation, 4, at.position.offset, big)
        self.store.put_snapshot(0, "cart", "a", snapshot)
        if again != "stay":
            getattr(self.harness, again)()
        history = self.store.load(0, "cart", "a")
        assert history is not None
        assert history.snapshot == snapshot
        assert [s.record.payload for s in history.records] == [b"5", b"6", b"7"]
        assert [s.version for s in history.records] == [5, 6, 7]

    def test_only_a_newer_snapshot_of_this_life_counts(self) -> None:
        offsets = [write(self.store, event(n)).position.offset for n in (1, 2, 3)]
        life = offsets[0]
        newest = Snapshot(life, 2, offsets[1], b"two")
        for snapshot in (
            newest,
            Snapshot(life, 1, offsets[0], b"older"),
            Snapshot(life + 1, 3, offsets[2], b"of another life"),
            Snapshot(life, 9, offsets[2] + 9, b"beyond"),
        ):
            self.store.put_snapshot(0, "cart", "a", snapshot)
        self.store.put_snapshot(0, "cart", "unknown", newest)
        history = self.store.load(0, "cart", "a")
        assert history is not None
        assert history.snapshot == newest
        newer = Snapshot(life, 3, offsets[2], b"three")
        self.store.put_snapshot(0, "cart", "a", newer)
        history = self.store.load(0, "cart", "a")
        assert history is not None
        assert (history.snapshot, history.records) == (newer, ())

    @pytest.mark.parametrize("again", ["stay", "checkpoint", "crash"])
    def test_the_newest_state_stands_alone(self, again: str) -> None:
        write(self.store, state(1, b"old"))
        newest = write(self.store, state(2, b"new")).position
        write(self.store, reply(2, KEY, b"r"))
        if again != "stay":
            getattr(self.harness, again)()
        history = self.store.load(0, "cart", "a")
        assert history is not None
        assert history.head.state_offset == newest.offset
        assert [s.record.payload for s in history.records] == [b"new"]
        assert history.snapshot is None

    def test_the_delete_of_a_value_is_a_change(self) -> None:
        write(self.store, state(1, b"x"))
        write(self.store, deleted(2))
        head = self.store.head(0, "cart", "a")
        assert head is not None
        assert (head.number, head.deleted_ms) == (2, START_MS)

    @pytest.mark.parametrize("again", ["stay", "checkpoint", "reopen", "crash"])
    def test_keys_are_remembered_in_their_subject(self, again: str) -> None:
        position = write(self.store, event(1, key=KEY, reply=b"stored")).position
        write(self.store, event(1, entity="b"))
        if again != "stay":
            getattr(self.harness, again)()
        stored = self.store.remembered(0, "cart", "a", KEY)
        assert stored is not None
        assert (stored.position, stored.record.reply) == (position, b"stored")
        assert self.store.remembered(0, "cart", "b", KEY) is None
        assert self.store.remembered(0, "cart", "none", KEY) is None
        assert self.store.remembered(0, "cart", "a", KEY[::-1]) is None
        assert self.store.remembered_some(0, "cart", "a", [KEY[::-1], KEY]) == [stored]
        assert self.store.remembered_some(0, "cart", "b", [KEY, KEY[::-1]]) == []

    @pytest.mark.parametrize("again", ["stay", "checkpoint", "crash"])
    def test_keys_are_forgotten_after_their_time(self, again: str) -> None:
        write(self.store, event(1, key=KEY))
        later = KEY[::-1]
        write(self.store, event(2, key=later, time_ms=START_MS + 3 * HOUR_MS))
        if again != "stay":
            getattr(self.harness, again)()
        self.maintain(START_MS + 23 * HOUR_MS)
        assert self.store.remembered(0, "cart", "a", KEY) is not None
        self.maintain(START_MS + 25 * HOUR_MS)
        for _ in range(2):
            assert self.store.remembered(0, "cart", "a", KEY) is None
            assert self.store.remembered(0, "cart", "a", later) is not None
            self.harness.crash()

    def test_history_pages_in_order(self) -> None:
        write(self.store, *(event(n, b"%d" % n) for n in range(1, 26)))
        versions: list[int] = []
        while page := self.store.history(
            0, "cart", "a", after=versions[-1] if versions else 0, limit=7
        ):
            assert len(page) <= 7
            versions.extend(s.version for s in page)
        assert versions == list(range(1, 26))
        assert self.store.history(0, "cart", "a", after=24)[0].record.payload == b"25"
        assert self.store.history(0, "cart", "a", limit=0) == []

    def test_each_record_names_the_one_before(self) -> None:
        write(self.store, event(1), event(2))
        write(self.store, event(1, entity="b"))
        self.store.open_shards([0], START_MS)
        write(self.store, event(3))
        records = self.store.history(0, "cart", "a")
        places = [(s.position.epoch, s.position.offset) for s in records]
        assert places == [(1, 2), (1, 3), (2, 6)]
        assert [s.previous for s in records] == [(0, 0), (1, 2), (1, 3)]
        assert {s.incarnation for s in records} == {2}

    @pytest.mark.parametrize("again", ["stay", "checkpoint", "reopen", "crash"])
    def test_subjects_page_by_shard_then_id(self, again: str) -> None:
        ids = ["a", "ab", "b", "z", "é", "中"]
        for shard in (2, 0):
            for entity in ids[shard // 2 :: 2]:
                write(self.store, event(1, entity=entity), shard=shard)
        write(self.store, event(1, entity="a", component="cart2"))
        write(self.store, event(1, entity="a", component="c"))
        if again != "stay":
            getattr(self.harness, again)()
        write(self.store, event(1, entity="late"), shard=1)
        expected = sorted([(0, e) for e in ids[0::2]] + [(2, e) for e in ids[1::2]] + [(1, "late")])
        found: list[tuple[int, str]] = []
        while page := self.store.subjects("cart", after=found[-1] if found else None, limit=2):
            found.extend(page)
        assert found == expected
        assert self.store.subjects("unknown") == []

    @pytest.mark.parametrize("again", ["stay", "checkpoint", "crash"])
    def test_ids_of_any_unicode_are_kept_apart(self, again: str) -> None:
        ids = ["x" * 256, "é" * 128, "𝄞" * 64, "A", "a", "a\0", "a\0b", "ä", "a\u0308", "|", " "]
        for entity in ids:
            write(self.store, event(1, entity.encode(), entity=entity))
        write(self.store, event(1, component="c" * 64, entity="x" * 256, key=KEY))
        if again != "stay":
            getattr(self.harness, again)()
        assert self.store.subjects("cart") == [(0, entity) for entity in sorted(ids)]
        for entity in ids:
            assert self.payloads(entity) == [entity.encode()]
        assert self.store.remembered(0, "c" * 64, "x" * 256, KEY) is not None

    def test_unknown_subjects_are_nothing(self) -> None:
        for entity in ("nobody", "", "x" * 999, "\ud800"):
            assert self.store.head(0, "cart", entity) is None
            assert self.store.load(0, "cart", entity) is None
            assert self.store.history(0, "cart", entity) == []
            assert self.store.remembered(0, "cart", entity, KEY) is None

    def test_payloads_of_any_bytes_come_back(self) -> None:
        payloads = [b"", b"\0" * 10, bytes(range(256)) * 300, b"x" * 1_200_000]
        write(self.store, *(event(n, p) for n, p in enumerate(payloads, 1)))
        self.harness.crash()
        assert self.payloads() == payloads

    # ---- loads ----------------------------------------------------------------------------
    @pytest.mark.parametrize("again", ["stay", "checkpoint", "reopen", "crash"])
    def test_many_loads_find_what_each_alone_would(self, again: str) -> None:
        life = write(self.store, event(1), event(2)).position.offset - 1
        write(self.store, state(1, b"old", entity="value"))
        write(self.store, state(2, b"new", entity="value"))
        for number in range(300):  # more than a store reads in one transaction
            write(self.store, event(1, entity=f"e{number}"), shard=number % 4)
        write(self.store, event(1, entity="gone"))
        write(self.store, cleaned(1, entity="gone"))
        self.store.put_snapshot(0, "cart", "a", Snapshot(life, 1, life, b"one"))
        if again != "stay":
            getattr(self.harness, again)()
        ids = ("a", "value", "gone", "never", *(f"e{number}" for number in range(300)))
        loads = [Load(shard, "cart", entity) for entity in ids for shard in range(4)]
        self.store.load_some(loads, lambda: False)
        for load in loads:
            assert load.over
            assert load.found == self.store.load(*load.subject)
        assert sum(load.found is not None for load in loads) == 302

    def test_loads_go_on_until_it_is_enough(self) -> None:
        for entity in ("a", "b"):
            write(self.store, event(1, entity=entity))
        loads = [Load(0, "cart", "a"), Load(0, "cart", "never"), Load(0, "cart", "b")]
        left = loads
        for over in (1, 2, 3):
            self.store.load_some(left, lambda: True)
            assert [load.over for load in loads] == [True] * over + [False] * (3 - over)
            left = [load for load in left if not load.over]
        assert [load.found for load in loads] == [self.store.load(*load.subject) for load in loads]

    @pytest.mark.parametrize("again", ["stay", "checkpoint"])
    def test_a_long_load_goes_on_where_it_stopped(self, again: str) -> None:
        write(self.store, *(event(n, b"%d" % n) for n in range(1, 3 * LOOK_RECORDS + 2)))
        expected = self.store.load(0, "cart", "a")
        load = Load(0, "cart", "a")
        for calls in (1, 2, 3):
            self.store.load_some([load], lambda: True)
            assert (load.begun, load.over) == (True, False)
            assert len(load.records) == calls * LOOK_RECORDS
            write(self.store, event(1, entity=f"other{calls}"))
            if again != "stay":
                getattr(self.harness, again)()
        self.store.load_some([load], lambda: True)
        assert (load.begun, load.over) == (False, True)
        assert load.found == expected

    def test_a_long_load_of_an_id_that_is_cleaned_meanwhile_finds_its_new_life(self) -> None:
        write(self.store, *(event(n) for n in range(1, 2 * LOOK_RECORDS)))
        load = Load(0, "cart", "a")
        self.store.load_some([load], lambda: True)
        assert load.begun
        write(self.store, cleaned(2 * LOOK_RECORDS - 1))
        write(self.store, event(1, b"new"), version=0)
        self.harness.checkpoint()
        self.maintain(START_MS)
        self.store.load_some([load], lambda: False)
        assert isinstance(load.found, History)
        assert [stored.record.payload for stored in load.found.records] == [b"new"]

    # ---- timers ---------------------------------------------------------------------------
    @pytest.mark.parametrize("again", ["stay", "checkpoint", "reopen", "crash"])
    def test_timers_are_due_earliest_first(self, again: str) -> None:
        for entity, at in (("late", 30), ("soon", 10), ("mid", 20), ("never", 0)):
            expires = START_MS + at if at else 0
            write(self.store, event(1, entity=entity, expires_ms=expires))
        if again != "stay":
            getattr(self.harness, again)()
        write(self.store, event(1, entity="new", expires_ms=START_MS + 15))
        assert self.due(TimerKind.EXPIRY, 9) == []
        assert self.due(TimerKind.EXPIRY, 20) == ["soon", "new", "mid"]
        assert self.due(TimerKind.EXPIRY, 99, limit=1) == ["soon"]

    @pytest.mark.parametrize("again", ["stay", "checkpoint", "reopen", "crash"])
    def test_a_later_record_moves_or_cancels_a_timer(self, again: str) -> None:
        for entity in ("moved", "cancelled", "deleted"):
            write(self.store, event(1, entity=entity, expires_ms=START_MS + 10))
        if again != "stay":
            getattr(self.harness, again)()
        write(self.store, event(2, entity="moved", expires_ms=START_MS + 50))
        write(self.store, event(2, entity="cancelled"))
        write(self.store, deleted(1, entity="deleted", time_ms=START_MS + 5))
        if again != "stay":
            getattr(self.harness, again)()
        assert self.due(TimerKind.EXPIRY, 49) == []
        assert self.due(TimerKind.EXPIRY, 50) == ["moved"]
        assert self.due(TimerKind.CLEANUP, 4) == []
        assert self.due(TimerKind.CLEANUP, 5) == ["deleted"]
        write(self.store, cleaned(1, entity="deleted"))
        assert self.due(TimerKind.CLEANUP, 5) == []

    # ---- cleanup --------------------------------------------------------------------------
    @pytest.mark.parametrize("again", ["stay", "checkpoint", "reopen", "crash"])
    def test_a_cleaned_id_begins_anew(self, again: str) -> None:
        old = write(self.store, event(1, b"old", key=KEY), event(2, b"old")).position
        old_life = Snapshot(2, 2, old.offset, b"old")
        self.store.put_snapshot(0, "cart", "a", old_life)
        write(self.store, event(1, b"neighbour", entity="b"))
        write(self.store, deleted(2))
        write(self.store, cleaned(2))
        if again != "stay":
            getattr(self.harness, again)()
        self.maintain(START_MS)
        assert self.store.head(0, "cart", "a") is None
        assert self.store.load(0, "cart", "a") is None
        assert self.store.remembered(0, "cart", "a", KEY) is None
        assert self.store.subjects("cart") == [(0, "b")]
        assert self.store.history(0, "cart", "a") == []
        born = write(self.store, event(1, b"new"), version=0).position
        self.store.put_snapshot(0, "cart", "a", old_life)
        if again != "stay":
            getattr(self.harness, again)()
        self.maintain(START_MS)
        history = self.store.load(0, "cart", "a")
        assert history is not None
        assert history.snapshot is None
        assert (history.head.version, history.head.incarnation) == (1, born.offset)
        assert self.payloads() == [b"new"]
        assert self.store.remembered(0, "cart", "a", KEY) is None
        assert [s.record.payload for s in self.store.records(0, 1)] == [b"neighbour", b"new"]
        assert self.payloads("b") == [b"neighbour"]

    # ---- a shard's log --------------------------------------------------------------------
    @pytest.mark.parametrize("again", ["stay", "checkpoint", "reopen", "crash"])
    def test_a_shards_log_pages_in_order(self, again: str) -> None:
        for n in range(1, 11):
            write(self.store, event(n))
            write(self.store, event(n, entity="b"), shard=1)
        if again != "stay":
            getattr(self.harness, again)()
        for n in range(11, 16):
            write(self.store, event(n))
        offsets: list[int] = []
        while page := self.store.records(0, offsets[-1] if offsets else 0, limit=4):
            offsets.extend(s.position.offset for s in page)
        assert offsets == list(range(1, 17))
        assert self.store.records(0, 0)[0].record.kind is RecordKind.EPOCH
        assert self.store.records(0, 99) == []
        assert self.store.records(9, 0) == []
