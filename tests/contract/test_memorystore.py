"""The store in memory keeps the contract."""

from __future__ import annotations

from actorkalix_storage.api import StoreError, StoreIdentity
from actorkalix_storage.memorystore import MemoryStore
from actorkalix_storage.testing import Harness, StoreContract

IDENTITY = StoreIdentity("0" * 32, "shop", 0, 16, 77)


class MemoryHarness:
    def __init__(self) -> None:
        self.store = MemoryStore(IDENTITY)

    def fail_next_commit(self, error: StoreError) -> None:
        self.store.fail_next_commit(error, stored=error.outcome == "unknown")

    def reopen(self) -> None:
        self.store.close()
        self.store = self.store.crash()

    def crash(self) -> None:
        self.store = self.store.crash()

    def checkpoint(self) -> None:
        """Memory has no disk."""

    def dispose(self) -> None:
        self.store.close()


class TestMemoryStore(StoreContract):
    def make(self) -> Harness:
        return MemoryHarness()
