"""The contract of states that are written ahead of the commits that name them."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix_storage.api import (
    AHEAD_BYTES,
    Ahead,
    Append,
    Record,
    RefusalKind,
    StoreFull,
)

from .base import KEY, Contract
from .harness import START_MS, cleaned, deleted, reply, state, write

LARGE = bytes(range(256)) * 4_500  # several pieces, and their ends are not those of a piece
ENDS = ["stay", "checkpoint", "reopen", "crash"]


class AheadContract(Contract):
    """Tests of `Store.write_ahead` and what comes of it."""

    def ahead(self, payload: bytes = LARGE, entity: str = "a", shard: int = 0) -> Ahead:
        """Write it all."""
        ahead = Ahead(shard, "cart", entity, payload)
        slices = 0
        while self.store.write_ahead(ahead):
            slices += 1
            assert ahead.name == b""
        assert slices > 0 or len(payload) <= 4 * AHEAD_BYTES
        return ahead

    def named(self, number: int, ahead: Ahead, version: int | None = None) -> Append:
        shard, component, entity = ahead.subject
        head = self.store.head(shard, component, entity)
        version = (head.version if head else 0) if version is None else version
        epoch = self.store.shard(shard).position.epoch
        record = state(number, ahead.payload, entity=entity)
        return Append(shard, epoch, version, (record,), ahead.name)

    def put(self, number: int, payload: bytes = LARGE, entity: str = "a") -> None:
        (outcome,) = self.store.commit([self.named(number, self.ahead(payload, entity))])
        assert not hasattr(outcome, "reason"), outcome

    def end(self, how: str) -> None:
        if how == "checkpoint":
            self.harness.checkpoint()
        elif how == "reopen":
            self.harness.reopen()
        elif how == "crash":
            self.harness.crash()
        if how in ("reopen", "crash"):
            self.store.open_shards(range(4), START_MS)

    @pytest.mark.parametrize("how", ENDS)
    def test_a_state_that_was_written_ahead_reads_like_any_other(self, how: str) -> None:
        write(self.store, state(1, b"small"))
        self.put(2)
        self.end(how)
        assert self.payloads() == [LARGE]
        (newest,) = [s for s in self.store.records(0, 0) if s.record.number == 2]
        assert newest.record.payload == LARGE
        self.put(3, LARGE[::-1])
        self.maintain(START_MS)
        self.end(how)
        assert self.payloads() == [LARGE[::-1]]
        write(self.store, state(4, b"small again"))
        self.maintain(START_MS)
        assert self.payloads() == [b"small again"]

    def test_nobody_sees_it_before_it_is_named(self) -> None:
        write(self.store, state(1, b"small"))
        self.ahead()
        half = Ahead(0, "cart", "a", LARGE)
        self.store.write_ahead(half)
        self.maintain(START_MS)
        assert self.payloads() == [b"small"]
        self.end("crash")
        self.maintain(START_MS)
        assert self.payloads() == [b"small"]

    def test_what_was_written_is_named_once(self) -> None:
        ahead = self.ahead()
        first, second = self.store.commit([self.named(1, ahead), self.named(2, ahead, 1)])
        assert (hasattr(first, "position"), hasattr(second, "reason")) == (True, True)
        assert self.refusal(self.named(2, ahead)) is RefusalKind.INVALID
        assert self.payloads() == [LARGE]

    def test_what_was_not_written_cannot_be_named(self) -> None:
        ahead = self.ahead()
        stranger = msgspec.structs.replace(self.named(1, ahead), ahead=b"x" * 20)
        assert self.refusal(stranger) is RefusalKind.INVALID
        other = state(1, b"another state")
        assert self.refusal(Append(0, 1, 0, (other,), ahead.name)) is RefusalKind.INVALID

    def test_it_belongs_to_one_subject(self) -> None:
        named = msgspec.structs.replace(
            self.named(1, self.ahead()), records=(state(1, LARGE, entity="b"),)
        )
        assert self.refusal(named) is RefusalKind.INVALID

    def test_it_is_forgotten_with_its_process(self) -> None:
        append = self.named(1, self.ahead())
        self.end("crash")
        append = msgspec.structs.replace(append, epoch=self.store.shard(0).position.epoch)
        assert self.refusal(append) is RefusalKind.INVALID

    def test_an_append_that_is_refused_leaves_nothing(self) -> None:
        write(self.store, state(1, b"small"))
        ahead = self.ahead()
        assert self.refusal(self.named(7, ahead)) is RefusalKind.INVALID
        assert self.refusal(self.named(2, ahead)) is RefusalKind.INVALID  # it had its turn
        self.maintain(START_MS)
        assert self.payloads() == [b"small"]

    def test_a_commit_that_fails_leaves_nothing(self) -> None:
        append = self.named(1, self.ahead())
        self.harness.fail_next_commit(StoreFull("no space"))
        with pytest.raises(StoreFull):
            self.store.commit([append])
        assert self.refusal(append) is RefusalKind.INVALID
        self.maintain(START_MS)
        self.put(1)
        assert self.payloads() == [LARGE]

    def test_what_is_forgotten_cannot_be_named(self) -> None:
        ahead = self.ahead()
        self.store.forget_ahead(ahead)
        assert self.refusal(self.named(1, ahead)) is RefusalKind.INVALID
        half = Ahead(0, "cart", "a", LARGE)
        self.store.write_ahead(half)
        self.store.forget_ahead(half)
        self.maintain(START_MS)

    def test_what_waits_for_apply_has_no_name(self) -> None:
        record: Record = state(1, LARGE)
        self.store.append(0, 1, 0, [record])
        self.store.apply(0, 100)
        assert self.payloads() == [LARGE]

    @pytest.mark.parametrize("how", ENDS)
    def test_a_key_outlives_the_state_that_came_with_it(self, how: str) -> None:
        ahead = self.ahead()
        record = msgspec.structs.replace(state(1, LARGE), key=KEY, reply=b"stored")
        append = msgspec.structs.replace(self.named(1, ahead), records=(record,))
        self.store.commit([append])
        self.put(2, LARGE[::-1])
        self.maintain(START_MS)
        self.end(how)
        found = self.store.remembered(0, "cart", "a", KEY)
        assert found is not None
        assert found.record.reply == b"stored"

    @pytest.mark.parametrize("how", ENDS)
    def test_a_new_life_has_states_of_its_own(self, how: str) -> None:
        self.put(1)
        write(self.store, deleted(1))
        write(self.store, cleaned(1))
        self.put(1, LARGE[::-1])
        self.maintain(START_MS)
        self.end(how)
        self.maintain(START_MS)
        assert self.payloads() == [LARGE[::-1]]

    @pytest.mark.parametrize("how", ENDS)
    def test_a_copy_has_the_newest_state(self, how: str) -> None:
        ahead = self.ahead()
        record = msgspec.structs.replace(state(1, LARGE), key=KEY, reply=b"stored")
        append = msgspec.structs.replace(self.named(1, ahead), records=(record,))
        self.store.commit([append])
        self.put(2, LARGE[::-1])
        write(self.store, reply(2, KEY[::-1], b"r"))
        self.end(how)
        self.maintain(START_MS)
        other = self.harness.second()
        try:
            source, after = self.store.durable(0), 0
            while page := self.store.export(0, after, 1):
                after = other.store.receive(0, source, page)
            assert other.store.load(0, "cart", "a") == self.store.load(0, "cart", "a")
            other.crash()
            assert other.store.load(0, "cart", "a") == self.store.load(0, "cart", "a")
            found = other.store.remembered(0, "cart", "a", KEY)
            assert found is not None
            assert found.record.reply == b"stored"
            assert other.store.head(0, "cart", "a") == self.store.head(0, "cart", "a")
        finally:
            other.dispose()
