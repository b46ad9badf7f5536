"""What a task or a process needs: numbers, bytes, plain values."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actorkalix import Dedicated
from actorkalix.describe.needs import hosting_problems, resource_problems


@pytest.mark.parametrize(
    "hosting",
    [
        "sharded",
        Dedicated(),
        Dedicated(num_cpus=0, num_gpus=0.5, memory=1, idle_stop=timedelta(milliseconds=1)),
        Dedicated(runtime_env={"pip": ["torch"], "env_vars": {"A": "b"}}),
    ],
)
def test_good_ones(hosting: Any) -> None:
    assert list(hosting_problems(hosting)) == []


@pytest.mark.parametrize(
    "hosting, said",
    [
        ("dedicated", "hosting is"),
        (None, "hosting is"),
        (Dedicated, "write hosting=Dedicated()"),
        (Dedicated(num_cpus=float("nan")), "num_cpus"),
        (Dedicated(memory=True), "memory"),
        (Dedicated(runtime_env={"a": b""}), ""),
        (Dedicated(idle_stop=timedelta(0)), "idle_stop"),
    ],
)
def test_bad_ones(hosting: Any, said: str) -> None:
    problems = list(hosting_problems(hosting))
    assert len(problems) == bool(said)
    assert all(said in problem for problem in problems)


def test_each_problem_of_resources_is_said() -> None:
    needs = {"num_cpus": "1", "num_gpus": -1, "memory": 0.5, "runtime_env": "pip"}
    assert len(list(resource_problems(needs))) == len(needs)
    assert list(resource_problems({})) == []
