"""What the tests of the contract share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actorkalix_storage.api import (
    Append,
    RefusalKind,
    Refused,
    Store,
    TimerKind,
)

from .harness import START_MS, Harness

HOUR_MS = 3_600_000
KEY = b"0123456789abcdef"


class Contract:
    """A store for each test, and what several tests ask of it."""

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

    def due(self, kind: TimerKind, after_ms: int, limit: int = 100) -> list[str]:
        due = self.store.due(kind, START_MS + after_ms, limit)
        assert all(timer.kind is kind and timer.component == "cart" for timer in due)
        return [timer.entity for timer in due]

    def maintain(self, now_ms: int) -> None:
        while self.store.maintain(now_ms):
            pass
