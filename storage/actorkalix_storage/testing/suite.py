"""The contract suite: what a store promises, one test a promise.

Tests speak to the store through `Store` alone, so the order of their names is the order of `api/store.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..api import (
    Append,
    Appended,
    AppendRefused,
    DurabilityLost,
    Record,
    RecordKind,
    RefusalKind,
    Refused,
    Snapshot,
    Store,
    StoreError,
    StoreFull,
    TimerKind,
)
from .harness import START_MS, Harness, cleaned, deleted, event, reply, state, write

HOUR_MS = 3_600_000
KEY = b"0123456789abcdef"


class StoreContract:
    """Every store passes this; see `testing/__init__.py`."""

    harness: Harness

    def make(self) -> Harness:
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _made(self) -> Iterator[None]:
        self.harness = self.make()
        self.store.open_shards(range(4), START_MS)
        yield
        self.harness.dispose()

    @property
    def store(self) -> Store:
        return self.harness.store

    def payloads(self, entity: str = "a", shard: int = 0) -> list[bytes]:
        history = self.store.load(shard, "cart", entity)
        return [s.record.payload for s in history.records] if history else []

    def refusal(self, append: Append) -> RefusalKind:
        (outcome,) = self.store.commit([append])
        assert isinstance(outcome, Refused)
        assert outcome.reason
        return outcome.kind

    # ---- shards ---------------------------------------------------------------------------
    def test_opening_raises_the_epoch_durably(self) -> None:
        assert self.store.shard(0).position.epoch == 1
        self.harness.crash()
        assert self.store.shard(0).position.epoch == 1
        assert self.store.open_shards([0, 3], START_MS) == {0: 2, 3: 2}
        assert self.store.shard(1).position.epoch == 1
        assert self.store.shard(0).position.offset == 2

    def test_a_shard_never_opened_is_at_epoch_0(self) -> None:
        state_ = self.store.shard(7)
        assert (state_.position.epoch, state_.position.offset, state_.sealed) == (0, 0, False)
        assert self.refusal(Append(7, 0, 0, (event(1),))) is RefusalKind.INVALID

    def test_a_shards_clock_never_goes_back(self) -> None:
        write(self.store, event(1, time_ms=START_MS + 500))
        write(self.store, event(2, time_ms=START_MS + 100))
        assert self.store.shard(0).time_ms == START_MS + 500
        self.store.open_shards([0], START_MS)
        self.harness.crash()
        assert self.store.shard(0).time_ms == START_MS + 500

    def test_positions_carry_the_lineage(self) -> None:
        position = write(self.store, event(1)).position
        assert position.lineage == self.store.identity.lineage
        assert position == self.store.durable(0) == self.store.applied(0)
        assert self.store.records(0, 1)[0].position == position

    def test_an_old_epoch_is_refused(self) -> None:
        self.store.open_shards([0], START_MS)
        assert self.refusal(Append(0, 1, 0, (event(1),))) is RefusalKind.OLD_EPOCH
        assert self.refusal(Append(0, 3, 0, (event(1),))) is RefusalKind.INVALID
        assert self.store.head(0, "cart", "a") is None

    def test_a_sealed_shard_takes_no_more(self) -> None:
        write(self.store, event(1))
        position = self.store.seal(0, 1)
        assert position == self.store.durable(0) == self.store.seal(0, 1)
        assert self.refusal(Append(0, 1, 1, (event(2),))) is RefusalKind.SEALED
        self.harness.crash()
        assert self.store.shard(0).sealed
        assert self.store.open_shards([0, 1], START_MS) == {1: 2}
        assert self.payloads() == [b"event"]

    def test_sealing_with_an_old_epoch_is_refused(self) -> None:
        self.store.open_shards([0], START_MS)
        with pytest.raises(AppendRefused) as caught:
            self.store.seal(0, 1)
        assert caught.value.refused.kind is RefusalKind.OLD_EPOCH
        assert not self.store.shard(0).sealed

    # ---- commit ---------------------------------------------------------------------------
    def test_a_batch_is_durable_with_positions_in_order(self) -> None:
        outcomes = self.store.commit(
            [
                Append(0, 1, 0, (event(1, b"1"), event(2, b"2"))),
                Append(1, 1, 0, (event(1, b"other", entity="b"),)),
                Append(0, 1, 2, (event(3, b"3"),)),
            ]
        )
        assert all(isinstance(outcome, Appended) for outcome in outcomes)
        offsets = [o.position.offset for o in outcomes if isinstance(o, Appended)]
        assert offsets == [3, 2, 4]
        self.harness.crash()
        assert self.payloads() == [b"1", b"2", b"3"]
        assert self.payloads("b", 1) == [b"other"]

    def test_a_refused_append_is_left_out_alone(self) -> None:
        outcomes = self.store.commit(
            [
                Append(0, 1, 0, (event(1, entity="good"),)),
                Append(0, 1, 5, (event(6, entity="wrong"),)),
                Append(0, 1, 0, (event(1, entity="x" * 257),)),
                Append(1, 0, 0, (event(1, entity="old"),)),
                Append(0, 1, 0, (event(1, entity="last"),)),
            ]
        )
        kinds = [o.kind if isinstance(o, Refused) else None for o in outcomes]
        wrong, invalid, old = (
            RefusalKind.WRONG_PREVIOUS,
            RefusalKind.INVALID,
            RefusalKind.OLD_EPOCH,
        )
        assert kinds == [None, wrong, invalid, old, None]
        assert self.store.durable(0).offset == 3
        assert self.store.subjects("cart") == [(0, "good"), (0, "last")]

    def test_what_was_speculated_on_a_refused_append_is_refused(self) -> None:
        outcomes = self.store.commit(
            [
                Append(0, 1, 0, (event(1, b"1"),)),
                Append(0, 1, 1, (event(9, b"wrong number"),)),
                Append(0, 1, 2, (event(3, b"on top of it"),)),
                Append(0, 1, 1, (event(2, b"2"),)),
            ]
        )
        kinds = [o.kind if isinstance(o, Refused) else None for o in outcomes]
        assert kinds == [None, RefusalKind.INVALID, RefusalKind.WRONG_PREVIOUS, None]
        assert self.payloads() == [b"1", b"2"]

    @pytest.mark.parametrize(
        "records",
        [
            (),
            (event(2),),
            (event(1, component=""),),
            (event(1, component="c" * 65),),
            (event(1, entity=""),),
            (event(1, entity="\ud800"),),
            (event(1, entity="é" * 129),),
            (event(1, key=b"short"),),
            (event(1, time_ms=-1),),
            (event(1, expires_ms=1 << 63),),
            (event(1), event(2, entity="b")),
            (event(1), event(1)),
            (cleaned(0),),
            (event(1), deleted(1), event(2)),
            (event(1), deleted(1), deleted(1)),
            (event(1), deleted(1), cleaned(1), event(2)),
            (reply(1, KEY, b""),),
            (Record(RecordKind.EPOCH, "", "", 0, START_MS),),
        ],
    )
    def test_an_invalid_append_is_refused_whole(self, records: tuple[Record, ...]) -> None:
        assert self.refusal(Append(0, 1, 0, records)) is RefusalKind.INVALID
        assert self.store.durable(0).offset == 1
        assert self.store.subjects("cart") == []

    def test_a_shard_out_of_range_is_refused(self) -> None:
        shards = self.store.identity.shards
        assert self.refusal(Append(shards, 1, 0, (event(1),))) is RefusalKind.INVALID

    def test_a_deleted_subject_takes_replies_but_no_changes(self) -> None:
        write(self.store, event(1), deleted(1))
        assert self.refusal(Append(0, 1, 2, (event(2),))) is RefusalKind.INVALID
        write(self.store, reply(1, KEY, b"gone"))
        head = self.store.head(0, "cart", "a")
        assert head is not None
        assert (head.version, head.number, head.deleted_ms) == (3, 1, START_MS)

    def test_an_empty_batch_stores_nothing(self) -> None:
        assert self.store.commit([]) == []
        assert self.store.durable(0).offset == 1

    def test_a_full_store_stores_nothing_and_goes_on(self) -> None:
        write(self.store, event(1, b"1"))
        self.harness.fail_next_commit(StoreFull("no space"))
        with pytest.raises(StoreFull) as caught:
            self.store.commit([Append(0, 1, 1, (event(2, b"lost", key=KEY),))])
        assert caught.value.outcome == "not_executed"
        assert self.payloads() == [b"1"]
        assert self.store.remembered(0, "cart", "a", KEY) is None
        write(self.store, event(2, b"2"))
        self.harness.crash()
        assert self.payloads() == [b"1", b"2"]

    def test_after_durability_is_lost_nothing_is_answered(self) -> None:
        write(self.store, event(1, b"1"))
        self.harness.fail_next_commit(DurabilityLost("fsync failed"))
        with pytest.raises(DurabilityLost) as caught:
            self.store.commit([Append(0, 1, 1, (event(2, b"2"),))])
        assert caught.value.outcome == "unknown"
        questions = (
            lambda: self.store.commit([Append(0, 1, 1, (event(2, b"2"),))]),
            lambda: self.store.load(0, "cart", "a"),
            lambda: self.store.open_shards([0], START_MS),
            lambda: self.store.maintain(START_MS),
        )
        for question in questions:
            with pytest.raises(DurabilityLost):
                question()
        self.harness.crash()
        assert self.payloads() in ([b"1"], [b"1", b"2"])

    def test_after_close_nothing_is_answered(self) -> None:
        self.store.close()
        with pytest.raises(StoreError):
            self.store.load(0, "cart", "a")
        self.store.close()
        self.harness.reopen()

    # ---- append, apply, truncate_after ----------------------------------------------------
    def test_appended_is_durable_but_not_in_the_tables(self) -> None:
        position = self.store.append(0, 1, 0, [event(1, b"1", key=KEY)])
        self.store.append(0, 1, 1, [event(2, b"2"), event(3, b"3")])
        for _ in range(2):
            assert self.store.durable(0).offset == position.offset + 2
            assert self.store.applied(0).offset == 1
            assert self.store.load(0, "cart", "a") is None
            assert self.store.records(0, 1) == []
            assert self.store.remembered(0, "cart", "a", KEY) is None
            self.harness.crash()

    def test_apply_brings_it_into_the_tables_once(self) -> None:
        self.store.append(0, 1, 0, [event(1, b"1", key=KEY)])
        self.store.append(0, 1, 1, [event(2, b"2")])
        for _ in range(2):
            assert self.store.apply(0, 2).offset == 2
            assert self.payloads() == [b"1"]
            self.harness.crash()
        assert self.store.durable(0).offset == 3
        assert self.store.apply(0, 99).offset == 3
        assert self.store.apply(0, 1).offset == 3
        self.harness.crash()
        assert self.payloads() == [b"1", b"2"]
        assert self.store.remembered(0, "cart", "a", KEY) is not None
        write(self.store, event(3, b"3"))
        assert self.payloads() == [b"1", b"2", b"3"]

    def test_truncated_records_never_were(self) -> None:
        self.store.append(0, 1, 0, [event(1, b"1")])
        self.store.append(0, 1, 1, [event(2, b"never")])
        assert self.store.truncate_after(0, 2).offset == 2
        self.harness.crash()
        assert self.store.durable(0).offset == 2
        self.store.append(0, 1, 1, [event(2, b"2")])
        self.store.apply(0, 3)
        self.harness.crash()
        assert self.payloads() == [b"1", b"2"]
        assert [s.record.payload for s in self.store.records(0, 1)] == [b"1", b"2"]

    def test_what_is_applied_is_not_truncated(self) -> None:
        self.store.append(0, 1, 0, [event(1)])
        self.store.apply(0, 2)
        with pytest.raises(ValueError, match="applied"):
            self.store.truncate_after(0, 1)
        assert self.store.truncate_after(0, 2).offset == 2

    def test_an_append_that_does_not_fit_is_refused(self) -> None:
        self.store.append(0, 1, 0, [event(1)])
        for epoch, version, kind in (
            (1, 0, RefusalKind.WRONG_PREVIOUS),
            (0, 1, RefusalKind.OLD_EPOCH),
        ):
            with pytest.raises(AppendRefused) as caught:
                self.store.append(0, epoch, version, [event(2)])
            assert caught.value.refused.kind is kind

    def test_a_shard_with_waiting_records_takes_no_commit(self) -> None:
        self.store.append(0, 1, 0, [event(1)])
        with pytest.raises(ValueError, match="wait"):
            self.store.commit([Append(0, 1, 1, (event(2),))])
        with pytest.raises(ValueError, match="wait"):
            self.store.open_shards([0], START_MS)
        write(self.store, event(1, entity="b"), shard=1)

    def test_waiting_records_outlive_checkpoints(self) -> None:
        self.store.append(0, 1, 0, [event(1, b"1")])
        write(self.store, event(1, b"other"), shard=1)
        self.harness.checkpoint()
        self.harness.reopen()
        assert self.store.durable(0).offset == 2
        self.store.apply(0, 2)
        self.harness.checkpoint()
        self.harness.crash()
        assert self.payloads() == [b"1"]
        assert self.payloads(shard=1) == [b"other"]

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
        expected = sorted(
            [(0, e) for e in ids[0::2]] + [(2, e) for e in ids[1::2]] + [(1, "late")]
        )
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

    def due(self, kind: TimerKind, after_ms: int, limit: int = 100) -> list[str]:
        due = self.store.due(kind, START_MS + after_ms, limit)
        assert all(timer.kind is kind and timer.component == "cart" for timer in due)
        return [timer.entity for timer in due]

    def maintain(self, now_ms: int) -> None:
        while self.store.maintain(now_ms):
            pass
