"""The contract of homes: the home table, drops and seals, where logs part."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix_storage.api import (
    Append,
    HomeTable,
    Position,
    RefusalKind,
    Snapshot,
)

from .base import KEY
from .harness import START_MS, event, write
from .moving import ENDS, NOTHING, OTHER, MovingContract, answers, copy, end, life

HOMES = HomeTable(1, ((0,),) * 16)


class HomesContract(MovingContract):
    """What a store promises of which shards are here."""

    # ---- homes ----------------------------------------------------------------------------
    @pytest.mark.parametrize("again", ENDS)
    def test_the_home_table_is_durable(self, again: str) -> None:
        assert self.store.homes() is None
        self.store.put_homes(HOMES)
        newer = HomeTable(3, ((0,), (1,)) * 8)
        self.store.put_homes(newer)
        self.store.put_homes(newer)
        end(self.harness, again)
        assert self.store.homes() == newer

    def test_the_home_table_never_goes_back(self) -> None:
        self.store.put_homes(HomeTable(2, HOMES.homes))
        for table, words in (
            (HOMES, "a newer"),
            (HomeTable(2, ((1,),) * 16), "another"),
            (HomeTable(3, ((0,),) * 15), "15 shards"),
            (HomeTable(3, ()), "0 shards"),
        ):
            with pytest.raises(ValueError, match=words):
                self.store.put_homes(table)
        self.harness.crash()
        assert self.store.homes() == HomeTable(2, HOMES.homes)

    def test_two_stores_have_their_own_identity(self) -> None:
        ours, theirs = self.store.identity, self.other.store.identity
        assert theirs == msgspec.structs.replace(ours, number=1)

    # ---- drops ----------------------------------------------------------------------------
    @pytest.mark.parametrize("then", [*ENDS, "maintain"])
    @pytest.mark.parametrize("before", ["stay", "checkpoint", "maintain"])
    def test_a_dropped_shard_was_never_here(self, before: str, then: str) -> None:
        life(self.store)
        life(self.store, 1)
        neighbour = answers(self.store, 1)
        end(self.harness, before)
        self.store.drop(0)
        for _ in range(3):
            end(self.harness, then)
            assert answers(self.store) == NOTHING
            state_ = self.store.shard(0)
            assert (state_.position.offset, state_.position.epoch, state_.time_ms) == (0, 0, 0)
            assert self.store.receiving(0) is None
            assert self.store.export(0, 0) is None
            assert self.refusal(Append(0, 1, 0, (event(1),))) is RefusalKind.INVALID
            assert answers(self.store, 1) == neighbour
            self.store.drop(0)
        write(self.store, event(4), shard=1)
        assert self.store.open_shards([0], START_MS) == {0: 1}
        assert write(self.store, event(1, b"anew")).position.offset == 2
        end(self.harness, then)
        end(self.harness, "maintain")
        assert self.payloads() == [b"anew"]
        assert self.store.subjects("cart", limit=1) == [(0, "a")]

    @pytest.mark.parametrize("then", [*ENDS, "maintain"])
    def test_an_unfinished_copy_is_dropped(self, then: str) -> None:
        life(self.store)
        old = self.store.durable(0)
        first = self.store.export(0, 0, 7)
        assert first is not None
        self.other.store.receive(0, old, first)
        end(self.other, then)
        self.other.store.drop(0)
        assert self.other.store.receiving(0) is None
        end(self.other, then)
        assert self.other.store.receiving(0) is None
        assert answers(self.other.store) == NOTHING
        write(self.store, event(4))
        copy(self.store, self.other, 0, 7, then)
        assert answers(self.other.store) == answers(self.store)

    @pytest.mark.parametrize("then", [*ENDS, "maintain"])
    def test_another_history_is_not_taken_for_the_dropped_one(self, then: str) -> None:
        """Same subject, same key, same offsets, other records: as after an adopt."""
        write(self.store, event(1, b"1"), event(2, b"2", key=KEY), event(3, b"3"))
        write(self.store, event(4, b"4", key=OTHER))
        life_began = self.store.history(0, "cart", "a")[0].incarnation
        self.store.put_snapshot(0, "cart", "a", Snapshot(life_began, 2, 3, b"wrong"))
        end(self.harness, then)
        self.store.drop(0)
        self.other.store.open_shards([0], START_MS)
        write(self.other.store, event(1, b"I", key=KEY), event(2, b"II"), event(3, b"III"))
        write(self.other.store, event(1, b"IV", entity="new", key=KEY))
        copy(self.other.store, self.harness, 0, 2, then)
        assert answers(self.store) == answers(self.other.store)
        assert self.payloads() == [b"I", b"II", b"III"]
        assert self.store.remembered(0, "cart", "a", OTHER) is None

    # ---- seals ----------------------------------------------------------------------------
    @pytest.mark.parametrize("again", ENDS)
    def test_a_seal_holds_until_its_shard_is_opened_again(self, again: str) -> None:
        write(self.store, event(1, b"1"))
        self.store.seal(0, 1)
        end(self.harness, again)
        assert self.store.shard(0).sealed
        assert self.refusal(Append(0, 1, 1, (event(2),))) is RefusalKind.SEALED
        assert self.store.open_shards([0], START_MS) == {}
        assert self.store.open_shards([0], START_MS, sealed=True) == {0: 2}
        end(self.harness, again)
        assert not self.store.shard(0).sealed
        assert self.refusal(Append(0, 1, 1, (event(2),))) is RefusalKind.OLD_EPOCH
        write(self.store, event(2, b"2"))
        end(self.harness, again)
        assert self.payloads() == [b"1", b"2"]

    # ---- where logs part ------------------------------------------------------------------
    def test_a_position_of_this_log_is_shared(self) -> None:
        life(self.store)
        self.maintain(START_MS)
        self.store.open_shards([0], START_MS)
        write(self.store, event(4))
        for stored in self.store.records(0, 0):
            assert self.store.parting(0, stored.position) == stored.position
        lineage, newest = self.store.identity.lineage, self.store.durable(0).offset
        removed = set(range(1, newest)) - {s.position.offset for s in self.store.records(0, 0)}
        assert removed
        copy(self.store, self.other, 0, 3)
        for store in (self.store, self.other.store):
            for offset in removed:
                place = Position(lineage, 1, offset)
                assert store.parting(0, place) == place
                assert store.parting(0, Position(lineage, 2, offset)) != place
            assert store.parting(0, Position(lineage, 0, 0)) == Position(lineage, 0, 0)

    def test_histories_part_at_their_newest_common_record(self) -> None:
        lineage = self.store.identity.lineage
        write(self.store, event(1), event(2))  # epoch 1: offsets 1 to 3
        self.store.open_shards([0], START_MS)
        write(self.store, event(3))  # epoch 2: 4 and 5
        for _ in range(2):
            self.store.open_shards([0], START_MS)  # epoch 3: 6, epoch 4: 7
        write(self.store, event(4))  # 8

        def parting(epoch: int, offset: int, of: int = lineage) -> tuple[int, int]:
            found = self.store.parting(0, Position(of, epoch, offset))
            assert found.lineage == lineage
            return found.epoch, found.offset

        assert parting(4, 8) == (4, 8)
        assert parting(4, 12) == (4, 8), "the end of this log was taken away"
        assert parting(9, 12) == (4, 8)
        assert parting(1, 5) == (1, 3), "the reader's epoch went on elsewhere"
        assert parting(2, 7) == (2, 5)
        assert parting(3, 5) == (1, 3), "here stands another epoch's record"
        assert parting(4, 12, lineage + 1) == (0, 0)
        assert self.store.parting(7, Position(lineage, 1, 1)).offset == 0
        self.store.seal(0, 4)
        copy(self.store, self.other, 0)
        self.other.store.open_shards([0], START_MS)
        assert self.other.store.durable(0) == Position(lineage, 5, 10)
        assert self.other.store.parting(0, Position(lineage, 4, 9)).offset == 9
        assert self.other.store.parting(0, Position(lineage, 4, 10)).offset == 9
