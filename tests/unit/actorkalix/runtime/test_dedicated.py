"""What the process of a dedicated entity needs, and what runs in it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from actorkalix import Dedicated
from actorkalix.process_listing import DedicatedUse
from actorkalix.runtime.dedicated import (
    PlacesOnRay,
    ProcessConfig,
    answers,
    listed,
    options_of,
    used,
)
from actorkalix.runtime.loading import resolve
from actorkalix.runtime.orders import HostConfig
from actorkalix_cluster.rayhost.dedicated import PlaceSeen, PlacesTally
from actorkalix_cluster.rayhost.tasks import TaskOptions
from actorkalix_cluster.rayhost.usage import Usage
from actorkalix_cluster.shardhost.elsewhere import Load, Loaded, Raised, answer_in, packed
from tests.unit.actorkalix.runtime import shop
from tests.unit.actorkalix.runtime.shop import service

SERVICE = """
from actorkalix import Dedicated, Effect, Service, ValueEntity, command

class Far(ValueEntity[int], id="far", hosting=Dedicated()):
    def empty_state(self) -> int:
        return 0

    @command
    def add(self) -> Effect[int]:
        return self.effects.update_state(self.state + 1).then_reply(lambda state: state)

class Near(Far, id="near"):
    pass

service = Service("places", components=[Far, Near])
"""


def test_options_are_those_of_ray() -> None:
    env = {"pip": ["b"], "env_vars": {"A": "b"}}
    hosting = Dedicated(num_cpus=0, num_gpus=2, memory=5, runtime_env=env)
    options = options_of(hosting)
    assert options == TaskOptions(0, 2, 5, options.runtime_env)
    assert msgspec.json.decode(options.runtime_env) == env
    assert options_of(Dedicated(idle_stop=timedelta(days=1))) == TaskOptions(1)


@pytest.mark.parametrize("dev", [False, True])
def test_dedicated_entities_of_the_service_run_there_and_no_others(
    dev: bool, tmp_path: Path
) -> None:
    name = f"places_{dev}".lower()
    (tmp_path / f"{name}.py").write_text(SERVICE)
    spec = resolve(f"{name}:service", str(tmp_path))
    answer = answers(msgspec.msgpack.encode(ProcessConfig(spec, dev)))
    assert answer_in(answer(packed(Load("far", "a", None)))) == Loaded(0)
    assert isinstance(answer_in(answer(packed(Load("near", "a", None)))), Raised)


def test_places_are_listed_and_counted_by_component() -> None:
    standing = [
        PlaceSeen("far", "b", 7, "n1", Usage(100, 1.5)),
        PlaceSeen("far", "a", 0, "", Usage()),
        PlaceSeen("far", "c", 9, "n2", Usage()),
    ]
    views = listed(standing, 3)
    assert [(one.entity, one.state, one.pid, one.node, one.store) for one in views] == [
        ("a", "starting", 0, "", 3),
        ("b", "serving", 7, "n1", 3),
        ("c", "serving", 9, "n2", 3),
    ]
    tally = PlacesTally()
    tally.started, tally.deaths, tally.over_cpu_s = 5, 2, 10.0
    assert used(standing, {"far": tally, "near": PlacesTally()}) == [
        DedicatedUse("far", 1, 2, 100, 11.5, 5, 2),
        DedicatedUse("near", 0, 0, 0, 0.0, 0, 0),
    ]


def test_a_host_that_has_begun_none_has_none() -> None:
    places = PlacesOnRay(service.descriptor, HostConfig(resolve(f"{shop.__file__}:service", None)))
    assert places.processes(0) == [] and places.uses() == []
