"""The store in memory keeps the contract."""

from __future__ import annotations

import msgspec

from actorkalix_storage.api import StoreError, StoreIdentity
from actorkalix_storage.memorystore import MemoryStore
from actorkalix_storage.testing import Harness, StoreContract

IDENTITY = StoreIdentity("0" * 32, "shop", 0, 16, 77)


class MemoryHarness:
    def __init__(self, number: int = 0) -> None:
        self.store = MemoryStore(msgspec.structs.replace(IDENTITY, number=number))

    def fail_next_commit(self, error: StoreError) -> None:
        self.store.fail_next_commit(error, stored=error.outcome == "unknown")

    def reopen(self) -> None:
        self.store.close()
        self.store = self.store.crash()

    def crash(self) -> None:
        self.store = self.store.crash()

    def checkpoint(self) -> None:
        """Memory has no disk."""

    def second(self) -> MemoryHarness:
        return MemoryHarness(1)

    def dispose(self) -> None:
        self.store.close()


class TestMemoryStore(StoreContract):
    def make(self) -> Harness:
        return MemoryHarness()
