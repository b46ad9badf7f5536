"""Clients of the ledgers whose operations are all recorded, and the judgement over them."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.errors import ActorkalixError
from actorkalix.model.calls import Call
from actorkalix.model.client import Client, Ref
from actorkalix.runtime.stores import found
from actorkalix.testkit.checking import (
    STORE_RULES,
    Evidence,
    Shown,
    Stored,
    judge,
    linearizability,
    model_of,
    stored_of,
)
from actorkalix.testkit.history import Operation
from actorkalix.testkit.recorder import Recorder
from actorkalix_storage.api import RecordKind, StoredRecord
from actorkalix_storage.lmdbstore import LmdbStore, Options, open_store, read_identity, verify
from tests.e2e.ledger_service import Added, Ledger, service

CLIENTS = 4
BACKOFF_S = 0.02  # when nobody answers: do not spin


class RecordedClients:
    """Clients that add tokens, each token once, and read ledgers; some add under a key.

    Attributes:
        recorder: has what they asked and were answered.
        answered: how many operations got a value.
    """

    def __init__(self, *, ledgers: int = 8, seed: int = 0) -> None:
        self.recorder = Recorder(service.name)
        self.answered = 0
        self._ledgers = [f"ledger-{number}" for number in range(ledgers)]
        self._random = random.Random(seed)
        self._numbers = itertools.count()
        self._stopping = False
        self._changed: asyncio.Condition

    @asynccontextmanager
    async def asking(self, url: str) -> AsyncGenerator[None]:
        """They ask while the block runs, and end after what they are at; may be entered again."""
        self._stopping = False
        self._changed = asyncio.Condition()  # of this event loop
        async with asyncio.TaskGroup() as tasks:
            for number in range(CLIENTS):
                tasks.create_task(self._ask(url, f"c{number + 1}"))
            yield
            self._stopping = True

    async def some_more(self, answers: int) -> None:
        """Return when so many more operations have been answered."""
        wanted = self.answered + answers
        async with self._changed:
            await self._changed.wait_for(lambda: self.answered >= wanted)

    async def _ask(self, url: str, name: str) -> None:
        async with self.recorder.client(url, name) as client:
            while not self._stopping:
                await self._one(client)

    async def _one(self, client: Client) -> None:
        ledger = client.entity(Ledger, self._random.choice(self._ledgers))
        token, kind = f"t{next(self._numbers)}", self._random.random()
        if kind < 0.3:
            await self._has_answer(ledger.tokens())
        elif kind < 0.8:
            await self._has_answer(ledger.add(token))
        else:
            await self._until_answered(ledger, token, self._random.choice((1, 2)))

    async def _until_answered(self, ledger: Ref[Ledger], token: str, times: int) -> None:
        """Under a key, over and over: every answer is that of one execution."""
        while times:
            times -= await self._has_answer(ledger.add(token).with_idempotency_key(token))

    async def _has_answer(self, call: Call[Any]) -> bool:
        try:
            await call
        except ActorkalixError as error:
            if not error.number.startswith("AK3"):
                raise
            await asyncio.sleep(BACKOFF_S)
            return False
        async with self._changed:
            self.answered += 1
            self._changed.notify_all()
        return True

    # ---- judgement ----------------------------------------------------------------------------
    def judge(self, data: Path) -> str:
        """Hold what was recorded against the class of the ledgers, and against what is stored.

        Args:
            data: folder of the service, which has ended.

        Returns:
            What there was, in words.

        Raises:
            AssertionError: an answer that no order explains, or what a rule has found.
        """
        operations = self.recorder.history().operations
        stored = tuple(_stored(data, operations))
        shown = tuple(_shown(operations))
        evidence = Evidence(operations=operations, stored=stored, was_read=True, shown=shown)
        of_tokens = [record.operation for record in stored if record.kind is RecordKind.EVENT]
        assert len(of_tokens) == len(set(of_tokens)), "a token is stored twice"
        models = {"ledger": model_of(Ledger)}
        for verdict in (linearizability(operations, models), *judge(evidence, STORE_RULES)):
            assert verdict.ok, verdict
        unknown = sum(operation.outcome == "unknown" for operation in operations)
        return f"{len(operations)} operations, {unknown} unknown, {len(stored)} records"


def _operations_of_tokens(operations: tuple[Operation, ...]) -> dict[str, int]:
    """Which operation stored a token if any did; the same key may have been sent before in vain."""
    ids: dict[str, int] = {}
    for outcome in ("not_executed", "unknown", "ok"):
        added = (o for o in operations if o.method == "add" and o.outcome == outcome)
        ids.update({operation.arguments["token"]: operation.id for operation in added})
    return ids


def _shown(operations: tuple[Operation, ...]) -> Iterator[Shown]:
    """Which commands the answers to queries showed; one that nobody sent has the id 0."""
    ids = _operations_of_tokens(operations)
    for operation in operations:
        if operation.kind == "query" and operation.outcome == "ok":
            tokens = operation.value["tokens"]
            yield Shown(operation.id, tuple(ids.get(token, 0) for token in tokens))


def _stored(data: Path, operations: tuple[Operation, ...]) -> Iterator[Stored]:
    """All records of all stores, each store whole and sound."""
    ids = _operations_of_tokens(operations)
    codec = codecs_for(descriptor_of(Ledger)).stored
    for number, folder in found(data).items():
        for record in _records(folder, number):
            if record.record.kind is not RecordKind.EVENT:
                yield stored_of(record)
                continue
            event = codec.decode_event(record.record.payload)[0]
            assert isinstance(event, Added)
            yield stored_of(record, ids.get(event.token), writer=str(event.pid))
        findings = verify(folder)
        assert findings.ok, findings


def _records(folder: Path, number: int) -> Iterator[StoredRecord]:
    shards = read_identity(folder).shards
    store = open_store(
        folder,
        service=service.name,
        shards=shards,
        number=number,
        create=False,
        options=Options(check=False),
    )
    with closing(store):
        assert not store.damaged_shards()
        for shard in range(shards):
            yield from _of_shard(store, shard)


def _of_shard(store: LmdbStore, shard: int) -> Iterator[StoredRecord]:
    after = 0
    while page := store.records(shard, after):
        yield from page
        after = page[-1].position.offset
