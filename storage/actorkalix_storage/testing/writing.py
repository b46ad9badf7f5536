"""The contract of writing: shards, commits, appends that wait, one test a promise."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix_storage.api import (
    Append,
    Appended,
    AppendRefused,
    DurabilityLost,
    Load,
    Record,
    RecordKind,
    RefusalKind,
    Refused,
    StoreError,
    StoreFull,
)

from .base import KEY, Contract
from .harness import START_MS, cleaned, deleted, event, reply, trimmed, write


class WritingContract(Contract):
    """What a store promises to who writes."""

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
            lambda: self.store.load_some([Load(0, "cart", "a")], bool),
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

    # ---- trimming -------------------------------------------------------------------------
    @pytest.mark.parametrize("again", ["stay", "checkpoint", "reopen", "crash"])
    def test_a_head_knows_how_far_its_subject_is_trimmed(self, again: str) -> None:
        first = write(self.store, event(1)).position.offset
        second = write(self.store, event(2)).position.offset
        write(self.store, trimmed(2, second))
        write(self.store, event(3, b"3"))
        write(self.store, trimmed(3, first))
        if again != "stay":
            getattr(self.harness, again)()
        history = self.store.load(0, "cart", "a")
        assert history is not None
        assert (history.head.trimmed, history.head.version, history.head.number) == (second, 5, 3)
        assert [s.record.number for s in history.records if s.record.payload == b"3"] == [3]
        kinds = [s.record.kind for s in history.records if s.position.offset > second]
        assert kinds == [RecordKind.TRIMMED, RecordKind.EVENT, RecordKind.TRIMMED]

    def test_a_trim_that_cannot_be_is_refused(self) -> None:
        offset = write(self.store, event(1)).position.offset
        for record in (
            trimmed(1, offset + 1),
            trimmed(2, offset),
            msgspec.structs.replace(trimmed(1, offset), payload=b"short"),
        ):
            assert self.refusal(Append(0, 1, 1, (record,))) is RefusalKind.INVALID

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
