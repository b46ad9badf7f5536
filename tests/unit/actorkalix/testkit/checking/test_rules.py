"""The table of rules, and a real run that keeps them all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from actorkalix import Client, Service
from actorkalix.runtime.in_process import HostTransport
from actorkalix.runtime.virtual import VirtualClock
from actorkalix.testkit import TestService
from actorkalix.testkit.checking import (
    ANSWER_RULES,
    RULES,
    Evidence,
    Finding,
    Ownership,
    Rule,
    Stored,
    judge,
    stored_of,
)
from actorkalix.testkit.checking.rules import (
    DELIVERY_RULES,
    FINDINGS_MAX,
    VIEW_RULES,
    WORKFLOW_RULES,
)
from actorkalix.testkit.history import Operation
from actorkalix.testkit.recorder import Recorder
from actorkalix_storage.api import RecordKind, StoredRecord
from tests.unit.actorkalix.engine.ledger import Book, Profile
from tests.unit.actorkalix.testkit.checking.records import stored
from tests.unit.actorkalix.testkit.checking.samples import op

ADD = op(1, "a", (0, 1), "add", 1)

OF_OTHERS = (*DELIVERY_RULES, *VIEW_RULES, *WORKFLOW_RULES)
"""Rules of what the run has none of."""


def test_an_empty_run_passes_no_rule() -> None:
    for verdict in judge(Evidence(operations=())):
        assert verdict.outcome == "found"
        assert "at least 1 are needed" in verdict.findings[0].text
    verdicts = judge(Evidence(operations=(ADD,), stored=(stored(1),)), operations_min=2)
    assert {verdict.outcome for verdict in verdicts} == {"found"}


def test_a_rule_that_finds_nothing_to_look_at_has_not_passed() -> None:
    verdicts = judge(Evidence(operations=(ADD,)), ANSWER_RULES)
    assert [(v.rule, v.outcome) for v in verdicts] == [
        ("one_execution_per_key", "not_judged"),
        ("answers_never_go_back", "not_judged"),
    ]
    assert not any(verdict.ok for verdict in verdicts)


def test_a_rule_of_a_capability_to_come() -> None:
    def never_early(evidence: Evidence, findings: list[Finding]) -> int:
        findings += [Finding(f"operation {o.id} came early") for o in evidence.operations] * 150
        return len(evidence.operations)

    (verdict,) = judge(Evidence(operations=(ADD,)), (Rule("timers", "not early", never_early),))
    assert (verdict.rule, verdict.outcome, verdict.looked_at) == ("timers", "found", 1)
    assert len(verdict.findings) == FINDINGS_MAX
    assert verdict.note == "the first 100 of 150"


def test_names_are_of_their_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.about for rule in RULES)


def test_a_real_run_keeps_all_rules() -> None:
    evidence = asyncio.run(_run())
    verdicts = judge(evidence)
    assert [(v.rule, v.outcome, v.findings) for v in verdicts] == [
        (rule.name, "not_judged" if rule in OF_OTHERS else "passed", ()) for rule in RULES
    ]


SPOILED: dict[str, Callable[[Evidence], dict[str, Any]]] = {
    "durability": lambda e: {"stored": _without(e, RecordKind.EVENT)},
    "no_gaps": lambda e: {"stored": _without(e, RecordKind.EVENT)},
    "one_writer_per_epoch": lambda e: {
        "ownerships": (*e.ownerships, msgspec.structs.replace(e.ownerships[0], writer="other"))
    },
    "one_execution_per_key": lambda e: {
        "stored": (*e.stored, next(s for s in e.stored if s.key)),
    },
    "answers_never_go_back": lambda e: {
        "operations": (*e.operations[:-1], _back(e.operations[-1])),
    },
    "durable_before_shown": lambda e: {
        "stored": tuple(s for s in e.stored if s.component != "settings")
    },
}


@pytest.mark.parametrize(
    "rule",
    [rule for rule in RULES if rule not in OF_OTHERS],
    ids=lambda rule: rule.name,
)
def test_each_rule_bites_on_a_real_run(rule: Rule) -> None:
    evidence = asyncio.run(_run())
    spoiled = msgspec.structs.replace(evidence, **SPOILED[rule.name](evidence))
    (verdict,) = judge(spoiled, (rule,))
    assert verdict.outcome == "found"


def _without(evidence: Evidence, kind: RecordKind) -> tuple[Stored, ...]:
    lost = next(record for record in evidence.stored if record.kind is kind)
    return tuple(record for record in evidence.stored if record is not lost)


async def _run() -> Evidence:
    """Commands, keys, refusals, a restart and an end; each operation leaves its mark in a value."""
    recorder = Recorder("books", clock=iter(range(100_000)).__next__, unit="step", started_ms=0)
    async with TestService(Service("books", components=[Book, Profile])) as running:
        client = Client._over(recorder.wrap(HostTransport(running, VirtualClock()), "c"))
        book = client.entity(Book, "b")
        await book.add(1).with_idempotency_key("k")
        await book.add(1).with_idempotency_key("k")
        await book.add(2)
        await running.restart()
        await book.total()
        await book.add(3)
        await book.close("done")
        await client.entity(Profile, "p").paint("dark")
        await client.entity(Profile, "p").paint("light")
        await client.entity(Profile, "p").theme()
        store = running._store
        found = [record for shard in range(1024) for record in store.records(shard, 0)]
    operations = recorder.history().operations
    return Evidence(
        operations=operations,
        stored=tuple(stored_of(one, _cause(one, operations), "host") for one in found),
        ownerships=tuple(
            Ownership(one.shard, one.position.lineage, one.position.epoch, "host") for one in found
        ),
    )


def _cause(found: StoredRecord, operations: Sequence[Operation]) -> int | None:
    """The first command whose answer rests on this record, or on one that follows it at once."""
    if found.record.kind is RecordKind.EPOCH:
        return None
    behind = [
        (operation.position.offset, operation.id)
        for operation in operations
        if operation.kind == "command"
        and operation.position is not None
        and operation.position.shard == found.shard
        and operation.position.offset >= found.position.offset
    ]
    return min(behind)[1]


def _back(operation: Operation) -> Operation:
    """The answer, from the first record of its shard."""
    assert operation.position is not None
    return msgspec.structs.replace(
        operation, position=msgspec.structs.replace(operation.position, epoch=1, offset=1)
    )
