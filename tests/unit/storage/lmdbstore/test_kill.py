"""ES-22: kill -9 at any moment loses nothing that was acknowledged and half-applies nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from actorkalix_storage.lmdbstore import open_store, verify

PROGRAM = """
import sys
from actorkalix_storage.api import Append, Record, RecordKind
from actorkalix_storage.lmdbstore import Options, open_store

options = Options(checkpoint_records=30, slice_rows=5)
store = open_store(sys.argv[1], service="shop", shards=4, options=options)
epoch = store.open_shards([0], 1)[0]
head = store.head(0, "cart", "a")
number = head.number if head else 0
while True:
    records = [Record(RecordKind.EVENT, "cart", "a", number + i, 1, b"x" * 500) for i in (1, 2, 3)]
    store.commit([Append(0, epoch, number, tuple(records))])
    number += 3
    print(number, flush=True)
    store.maintain(1)
"""


@pytest.mark.parametrize("lines", [1, 17, 64])
def test_what_was_acknowledged_is_there(tmp_path: Path, lines: int) -> None:
    acknowledged = 0
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        with child:
            for _ in range(lines):
                acknowledged = int(child.stdout.readline())
            child.kill()
            rest = child.stdout.read().split("\n")[:-1]
        acknowledged = int(rest[-1]) if rest else acknowledged
        store = open_store(tmp_path, service="shop", shards=4)
        history = store.load(0, "cart", "a")
        assert history is not None
        assert len(history.records) == history.head.number >= acknowledged
        assert history.head.number % 3 == 0
        store.abandon()
    findings = verify(tmp_path)
    assert findings.ok, findings
