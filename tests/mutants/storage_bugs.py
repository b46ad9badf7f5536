"""Bugs of the store."""

from __future__ import annotations

from . import scenarios
from .mutant import Mutant
from .planting import edit

MUTANTS = (
    Mutant(
        "skipped-fsync",
        "a write is told as done when the next one is on disk",
        "durability",
        scenarios.kills,
        edit(
            "actorkalix_storage.memorystore:MemoryStore._persist",
            "self._store(lambda: self._journal.extend((frame, pending) for frame in frames))",
            "late = vars(self).get('late', [])\n"
            "    self.late = [(frame, pending) for frame in frames]\n"
            "    self._store(lambda: self._journal.extend(late))",
        ),
    ),
    Mutant(
        "lost-at-recovery",
        "the newest record of the journal is not replayed",
        "durability",
        scenarios.kills,
        edit(
            "actorkalix_storage.memorystore:MemoryStore.crash",
            "for frame, pending in self._journal:",
            "for frame, pending in self._journal[:-1]:",
        ),
    ),
    Mutant(
        "half-a-batch",
        "a write that fails leaves half of its frames behind",
        "linearizability",
        scenarios.broken,
        edit(
            "actorkalix_storage.memorystore:MemoryStore._persist",
            "self._store(lambda: self._journal.extend((frame, pending) for frame in frames))",
            "half = frames[: len(frames) // 2] if self._fault else frames\n"
            "    self._store(lambda: self._journal.extend((frame, pending) for frame in half))",
        ),
    ),
    Mutant(
        "epoch-not-raised",
        "a store is opened with the epoch that the process before had",
        "one_writer_per_epoch",
        scenarios.kills,
        edit(
            "actorkalix_storage.batch:Batch.open",
            "epoch = state.position.epoch + 1",
            "epoch = max(1, state.position.epoch)",
        ),
    ),
    Mutant(
        "positions-used-again",
        "recovery cuts the newest record off and gives its place to another",
        "one_writer_per_epoch",
        scenarios.kills,
        edit(
            "actorkalix_storage.memorystore:MemoryStore.crash",
            "store._journal = self._journal",
            "del self._journal[-1:]\n    store._journal = self._journal",
        ),
        edit(
            "actorkalix_storage.batch:Batch.open",
            "epoch = state.position.epoch + 1",
            "epoch = max(1, state.position.epoch)",
        ),
    ),
    Mutant(
        "neighbours-refused",
        "one refused append takes all of its batch along",
        "nothing_is_refused",
        scenarios.bad_ids,
        edit(
            "actorkalix_storage.logstore:LogStore.commit",
            'hit("commit.before_write")',
            "refused = [each for each in outcomes if isinstance(each, Refused)]\n"
            "    if refused:\n"
            "        return refused[:1] * len(outcomes)",
        ),
    ),
    Mutant(
        "neighbours-lied-to",
        "one refused append lets all of its batch be told as refused, stored as it is",
        "durability",
        scenarios.bad_ids,
        edit(
            "actorkalix_storage.logstore:LogStore.commit",
            "return outcomes",
            "refused = [each for each in outcomes if isinstance(each, Refused)]\n"
            "    return refused[:1] * len(outcomes) or outcomes",
        ),
    ),
    Mutant(
        "tables-before-disk",
        "tables know of a batch before it is on disk, and keep it when it fails",
        "linearizability",
        scenarios.full,
        edit(
            "actorkalix_storage.logstore:LogStore._write",
            "pointers = self._persist(self._frames_of(batch), what=what)\n",
            "pointers = [0] * len(batch.records)\n",
            "self._tables.absorb(batch)",
            "self._tables.absorb(batch)\n        self._persist(self._frames_of(batch), what=what)",
        ),
    ),
    Mutant(
        "replayed-backwards",
        "events come back in the wrong order",
        "linearizability",
        scenarios.kills,
        edit("actorkalix_storage.reading:go_on", "in reversed(records)", "in records"),
    ),
    Mutant(
        "keys-forgotten-at-recovery",
        "idempotency keys are not indexed when a log is replayed",
        "one_execution_per_key",
        scenarios.retries,
        edit(
            "actorkalix_storage.memorystore:MemoryStore.crash",
            "store._replayed()",
            "store._replayed()\n    store._tables.keys.clear()",
        ),
    ),
    Mutant(
        "key-of-another-entity",
        "idempotency keys are looked up without their entity",
        "nothing_is_refused",
        scenarios.calm.but(keyed=1.0, entities=3, queries=0.0),
        edit(
            "actorkalix_storage.memorystore:_View.keyed",
            "self._store._tables.keys.get((subject, key), (0, 0))",
            "next((at for k, at in self._store._tables.keys.items() if k[1] == key), (0, 0))",
        ),
    ),
    Mutant(
        "fence-dropped",
        "a store takes appends of a former epoch",
        "one_writer_per_epoch",
        scenarios.twins,
        edit(
            "actorkalix_storage.batch:Batch._refusal_of_shard",
            "if append.epoch != epoch:",
            "if False:",
        ),
    ),
)
