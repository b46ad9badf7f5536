"""What the process of a dedicated entity needs, and what runs in it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from actorkalix import Dedicated
from actorkalix.runtime.dedicated import ProcessConfig, answers, options_of
from actorkalix.runtime.loading import resolve
from actorkalix_cluster.rayhost.tasks import TaskOptions
from actorkalix_cluster.shardhost.elsewhere import Load, Loaded, Raised, answer_in, packed

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
