"""Scenarios are read strictly: what does not fit is named with its file and key."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from actorkalix.cli.exits import Exit, exit_of
from actorkalix.errors import ScenarioUnreadable
from actorkalix.testkit.simulation.faults import Faults
from actorkalix.testkit.simulation.plan import draw_plan
from actorkalix.testkit.simulation.scenario import Scenario, parse_scenario, read_scenario
from actorkalix.testkit.simulation.workload import Workload
from tests.unit.actorkalix.testkit.simulation.things import SHOP

HEAD = 'name = "carts"\nservice = "shop:service"\n'
FULL = """\
name = "carts"
about = "no item is lost"
service = "examples/shopping_cart/service.py:service"
hosts = 2
clients = 4
operations = 50
entities = 3
shards = 16
keyed = 1
queries = 0.5
runs = 7

[workload]
weights = { add = 2, "basket.clear" = 0 }
values = { "take.why" = ["x", "y"] }
entities = ["a", "b"]
wait_ms = 5

[faults]
preset = "harsh"
drop = 0.25
kill_every_ms = 0
crash_at = { before_reply = 0.5 }

[expect]
rule = "linearizability"
"""


def test_a_whole_scenario(tmp_path: Path) -> None:
    path = tmp_path / "carts.toml"
    path.write_text(FULL)
    found = read_scenario(path)
    assert (found.name, found.hosts, found.clients, found.runs) == ("carts", 2, 4, 7)
    assert (found.keyed, found.queries, found.shards) == (1.0, 0.5, 16)
    assert found.workload == Workload(
        weights={"add": 2, "basket.clear": 0},
        values={"take.why": ["x", "y"]},
        entities=("a", "b"),
        wait_ms=5,
    )
    assert found.faults == msgspec.structs.replace(
        Faults.harsh(), drop=0.25, kill_every_ms=0, crash_at={"before_reply": 0.5}
    )
    assert found.expect is not None and found.expect.rule == "linearizability"


def test_everything_has_a_default_but_name_and_service() -> None:
    found = parse_scenario(HEAD.encode())
    assert found == Scenario(name="carts", service="shop:service")
    assert found.faults == Faults.usual()
    assert parse_scenario(f'{HEAD}[faults]\npreset = "none"'.encode()).faults == Faults.none()
    usual = msgspec.structs.replace(Faults.usual(), drop=0)
    assert parse_scenario(f"{HEAD}[faults]\ndrop = 0".encode()).faults == usual


def test_it_draws_the_plans_that_it_says() -> None:
    found = parse_scenario(FULL.encode())
    plan = found.plan(SHOP.descriptor, 3)
    assert plan == draw_plan(
        SHOP.descriptor,
        3,
        hosts=2,
        clients=4,
        operations=50,
        entities=3,
        shards=16,
        keyed=1,
        queries=0.5,
        faults=found.faults,
        workload=found.workload,
    )


@pytest.mark.parametrize(
    "text, said",
    [
        ('name = "a"', "service: missing, expected str"),
        (HEAD + "host = 3", "host: unknown; known are about, clients, entities, expect, faults"),
        (HEAD + 'hosts = "3"', "hosts: expected int, got str"),
        (HEAD + "hosts = 17", "hosts: expected int <= 16"),
        (HEAD + "runs = 0", "runs: expected int >= 1"),
        (HEAD + "keyed = 1.5", "keyed: expected float <= 1.0"),
        (HEAD + "[workload]\nweight = {}", "workload.weight: unknown; known are entities, values"),
        (HEAD + "[workload]\nwait_ms = -1", "workload: wait_ms is -1.0; from 0 to 60,000"),
        (HEAD + "[workload]\nweights = { add = true }", "workload.weights[...]: expected float, "),
        (HEAD + '[faults]\npreset = "hard"', "faults.preset: there is no 'hard'; there are none"),
        (HEAD + "[faults]\npreset = [1]", "faults.preset: there is no [1]; there are none, usual"),
        (HEAD + "[faults]\nkills = 3", "faults.kills: unknown; known are answer_lost, client_m"),
        (HEAD + "[faults]\ndrop = 2", "faults: drop is 2.0; it is a probability from 0 to 1"),
        (HEAD + "[faults]\ncrash_at = { x = 1 }", "faults.crash_at: invalid enum value 'x', exp"),
        (HEAD + "faults = 3", "faults: expected object, got int"),
        (HEAD + "[expect]\nrule = 'luck'", "expect: there is no rule 'luck'; there are durability"),
        ("name = ", "not TOML: Invalid value"),
    ],
)
def test_what_does_not_fit_is_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ScenarioUnreadable) as caught:
        read_scenario(path)
    assert str(caught.value).startswith(f"{path}, {said}")
    assert exit_of(caught.value) is Exit.USAGE


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioUnreadable, match=r"missing\.toml: No such file"):
        read_scenario(tmp_path / "missing.toml")
    with pytest.raises(ScenarioUnreadable, match="byte 8: not UTF-8"):
        parse_scenario(b'name = "\xff"')
