"""What tasks and processes of a component need of Ray, and what can be wrong about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import msgspec

from actorkalix.model.hosting import Dedicated


def resource_problems(needs: Mapping[str, Any]) -> Iterator[str]:
    """Problems of `num_cpus`, `num_gpus`, `memory` and `runtime_env`, where they are given."""
    for name in ("num_cpus", "num_gpus"):
        value = needs.get(name, 0)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 0:
            yield f"{name} is a number from 0 up, got {value!r}"
    memory = needs.get("memory")
    if memory is not None and (type(memory) is not int or memory < 1):
        yield f"memory is a number of bytes above 0, got {memory!r}"
    env = needs.get("runtime_env")
    if env is not None and not isinstance(env, Mapping):
        yield f"runtime_env is a dict, as Ray takes it, got {env!r}"


def hosting_problems(hosting: Any) -> Iterator[str]:
    """Problems of the class option `hosting`."""
    if isinstance(hosting, str) and hosting == "sharded":
        return
    if hosting is Dedicated:
        yield "hosting is an object: write hosting=Dedicated()"
        return
    if not isinstance(hosting, Dedicated):
        yield f'hosting is "sharded" or Dedicated(...), got {hosting!r}'
        return
    needs = {name: getattr(hosting, name) for name in asdict(Dedicated())}
    for problem in resource_problems(needs):
        yield f"hosting=Dedicated(...): {problem}"
    env: Any = hosting.runtime_env
    stop: Any = hosting.idle_stop
    if isinstance(env, Mapping) and not _is_plain(env):
        yield "hosting=Dedicated(...): runtime_env has values that are no plain JSON"
    if not (isinstance(stop, timedelta) and stop > timedelta(0)):
        yield f"hosting=Dedicated(...): idle_stop is a timedelta above 0, got {stop!r}"


def _is_plain(env: Any) -> bool:
    try:
        msgspec.json.encode(dict(env))
    except (TypeError, ValueError):
        return False
    return True
