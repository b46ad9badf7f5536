"""The folder's lock under contention: the opener really waits, so this is no unit test."""

from __future__ import annotations

import threading
from pathlib import Path

from actorkalix_storage.lmdbstore import holder, open_store


def test_to_ask_for_the_holder_disturbs_nobody(tmp_path: Path) -> None:
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.002):
            holder(tmp_path)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(10):
            open_store(tmp_path, service="shop").close()
    finally:
        done.set()
        asking.join()
