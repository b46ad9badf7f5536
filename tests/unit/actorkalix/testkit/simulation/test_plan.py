"""Plans: the same from the same seed, contending, and as data."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorkalix.codec import codecs_for
from actorkalix.testkit.simulation.faults import Faults
from actorkalix.testkit.simulation.plan import Call, Plan, draw_plan
from actorkalix.testkit.simulation.workload import Workload
from actorkalix_cluster.shardhost.messages import Encoding
from tests.unit.actorkalix.testkit.simulation.things import SHOP

ROOT = Path(__file__).resolve().parents[5]
SERVICE = SHOP.descriptor
PRINT_DIGEST = """
from hashlib import blake2b
import msgspec
from actorkalix.testkit.simulation.plan import draw_plan
from tests.unit.actorkalix.testkit.simulation.things import SHOP
print(blake2b(msgspec.json.encode(draw_plan(SHOP.descriptor, 5))).hexdigest())
"""


def test_a_seed_has_one_plan() -> None:
    plans = [draw_plan(SERVICE, seed) for seed in range(5)]
    assert plans == [draw_plan(SERVICE, seed) for seed in range(5)]
    assert len({plan.calls for plan in plans}) == 5


def test_a_seed_has_one_plan_in_every_process() -> None:
    path = os.pathsep.join(str(ROOT / folder) for folder in ("", "cluster", "storage"))
    digests = {
        subprocess.run(
            [sys.executable, "-c", PRINT_DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_a_plan_is_data() -> None:
    plan = draw_plan(SERVICE, 1, faults=Faults.harsh())
    assert plan.faults
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_every_body_can_be_read() -> None:
    for call in draw_plan(SERVICE, 2).calls:
        codec = codecs_for(SERVICE.components[call.component])
        codec.arguments[call.method].decode(call.body, Encoding.JSON)


def test_calls_are_shared_out_and_numbered() -> None:
    plan = draw_plan(SERVICE, 3, clients=3, operations=20)
    assert plan.operations == 20
    numbers = [(call.client, call.number) for call in plan.calls]
    assert numbers == [(c, n) for c, count in ((0, 7), (1, 7), (2, 6)) for n in range(count)]


def test_shares_are_as_asked_for() -> None:
    plan = draw_plan(SERVICE, 4, operations=5_000, keyed=0.5, queries=0.2)
    commands = [call for call in plan.calls if call.kind == "command"]
    assert 0.75 < len(commands) / 5_000 < 0.85
    assert 0.45 < sum(bool(call.key) for call in commands) / len(commands) < 0.6
    assert all(call.kind == "command" for call in plan.calls if call.key)
    assert all(call.key for call in plan.calls if call.retry)
    entities = Counter(call.entity for call in plan.calls)
    assert 0.35 < entities["e0"] / 5_000 < 0.45  # a fifth, and its share of the rest
    assert set(entities) == {"e0", "e1", "e2", "e3"}
    waits = [call.wait_us for call in plan.calls]
    assert 17_000 < sum(waits) / 5_000 < 23_000
    assert sorted(waits)[2_500] < 3_000  # most come in bursts


def test_a_key_mostly_stands_for_one_request() -> None:
    by_key: dict[str, set[Any]] = {}
    entities: dict[str, set[str]] = {}
    keys: list[str] = []
    for call in draw_plan(SERVICE, 5, operations=2_000, keyed=0.9).calls:
        if call.key:
            keys.append(call.key)
            asked = (call.component, call.method, call.body)
            by_key.setdefault(call.key, set()).add(asked)
            entities.setdefault(call.key, set()).add(call.entity)
    several = sum(len(asked) > 1 for asked in by_key.values())
    assert 0 < several / len(by_key) < 0.1
    assert 0.05 < 1 - len(by_key) / len(keys) < 0.3  # some are asked again
    assert any(len(of) > 1 for of in entities.values())  # and some of another entity


def test_other_faults_leave_the_calls_as_they_are() -> None:
    one = draw_plan(SERVICE, 6, faults=Faults.none())
    other = draw_plan(SERVICE, 6, faults=Faults.harsh(), hosts=5)
    assert one.calls == other.calls
    assert not one.faults and other.faults


def test_faults_happen_while_clients_ask() -> None:
    lengths: list[int] = []
    for seed in range(20):
        plan = draw_plan(SERVICE, seed)
        last_us = max(
            sum(call.wait_us for call in plan.calls if call.client == client)
            for client in range(plan.clients)
        )
        assert all(fault.at_us < 1.5 * last_us for fault in plan.faults)
        lengths.append(len(plan.faults))
    assert 3 <= sum(lengths) / 20 <= 6


def test_a_workload_decides() -> None:
    workload = Workload(
        weights={"add": 9, "take": 1, "clear": 0, "size": 0, "plant": 0, "fork": 0, "model": 0},
        entities=("x", "y"),
        wait_ms=0,
    )
    calls = draw_plan(SERVICE, 7, operations=1_000, workload=workload).calls
    methods = Counter(call.method for call in calls)
    assert set(methods) == {"add", "take", "several"}
    assert 5 < methods["add"] / methods["take"] < 15
    assert {call.entity for call in calls} == {"x", "y"}
    assert {call.wait_us for call in calls} == {0}


def test_programs_are_drawn_alone_or_between_calls() -> None:
    names = ("audit", "sell")
    alone = draw_plan(SERVICE, 9, programs=names)
    assert {(call.kind, call.method) for call in alone.calls} == {("program", n) for n in names}
    assert str(alone.calls[0]) == f"program {alone.calls[0].method}"
    mixed = draw_plan(SERVICE, 9, programs=names, workload=Workload(weights={"sell": 0}))
    programs = [call.method for call in mixed.calls if call.kind == "program"]
    assert set(programs) == {"audit"}
    assert 60 < len(programs) < 140


def test_queries_alone_are_enough() -> None:
    names = ("add", "take", "clear", "plant", "fork", "model", "several")
    plan = draw_plan(SERVICE, 8, workload=Workload(weights=dict.fromkeys(names, 0)))
    assert {call.method for call in plan.calls} == {"size"}


@pytest.mark.parametrize(
    "given, said",
    [
        ({"hosts": 0}, "hosts is 0; it is from 1 to 16"),
        ({"clients": 65}, "clients is 65; it is from 1 to 64"),
        ({"operations": 0}, "operations is 0; it is from 1 to 100,000"),
        ({"entities": 0}, "entities is 0"),
        ({"shards": 2_000}, "shards is 2000; it is from 1 to 1,024"),
        ({"keyed": 1.5}, "keyed is 1.5; it is from 0 to 1"),
        ({"queries": -1}, "queries is -1"),
    ],
)
def test_numbers_out_of_range_are_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        draw_plan(SERVICE, 1, **given)
    assert said in str(caught.value)


def test_a_call_can_be_read() -> None:
    call = Call(
        client=0,
        number=4,
        wait_us=0,
        component="basket",
        entity="e0",
        kind="command",
        method="take",
        body=b'{"count":1}',
        key="c0-4",
    )
    assert str(call) == 'basket e0: take {"count":1}, key c0-4'
    assert str(msgspec.structs.replace(call, body=b"", key="")) == "basket e0: take"
