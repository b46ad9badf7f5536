"""The store on disk keeps the contract."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

import lmdb

from actorkalix_storage.api import StoreError, StoreFull
from actorkalix_storage.lmdbstore import LmdbStore, Options, open_store
from actorkalix_storage.testing import Harness, StoreContract

MEMORY_FOLDER = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class LmdbHarness:
    """Checks in child processes have their own tests; here they would cost most of the time."""

    def __init__(self, options: Options, number: int = 0) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="store-", dir=MEMORY_FOLDER))
        self.options = options
        self.number = number
        self.store: LmdbStore = self.open()

    def open(self) -> LmdbStore:
        return open_store(
            self.path / "data",
            service="shop",
            shards=16,
            cluster="0" * 32,
            number=self.number,
            lineage=77,
            options=self.options,
        )

    def fail_next_commit(self, error: StoreError) -> None:
        environment = self.store._environment

        def fail(transaction: lmdb.Transaction[bytes]) -> None:
            vars(environment).pop("commit")
            if isinstance(error, StoreFull):
                transaction.abort()
                raise lmdb.MapFullError("mdb_txn_commit")
            transaction.commit()
            failure = lmdb.Error("mdb_txn_commit: Input/output error")
            failure.code = errno.EIO  # type: ignore[misc]  # as the binding sets it
            raise failure

        vars(environment)["commit"] = fail  # stands before the method of the class

    def reopen(self) -> None:
        self.store.close()
        self.store = self.open()

    def crash(self) -> None:
        self.store.abandon()
        self.store = self.open()

    def checkpoint(self) -> None:
        self.store.checkpoint()

    def second(self) -> LmdbHarness:
        return LmdbHarness(self.options, 1)

    def dispose(self) -> None:
        self.store.abandon()
        shutil.rmtree(self.path)


class TestLmdbStore(StoreContract):
    def make(self) -> Harness:
        return LmdbHarness(Options(check=False))


class TestLmdbStoreInSmallSlices(StoreContract):
    """With a checkpoint for every record, in slices of two rows."""

    def make(self) -> Harness:
        return LmdbHarness(Options(check=False, checkpoint_records=1, slice_rows=2))
