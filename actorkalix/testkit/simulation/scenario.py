"""Scenarios: what a simulation plays, as a file that stands beside the tests.

A scenario is TOML. Everything has a default but the name and the service:

    name = "carts-under-kills"
    about = "no item is lost or bought twice"
    service = "examples/shopping_cart/service.py:service"
    hosts = 3
    operations = 200
    runs = 50

    [workload]
    weights = { checkout = 0.2 }
    entities = ["a", "b"]

    [faults]
    preset = "usual"
    kill_every_ms = 200

    [expect]                        # of a planted bug: the rule that must find it
    rule = "linearizability"

Reading is strict, for a misspelt fault is one that never happens: a key that nobody knows is an
error, and so is a value of a wrong type or out of its range.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args

import msgspec
from msgspec import Meta

from actorkalix.codec.untyped import is_object
from actorkalix.codec.wording import validation
from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.describe.shapes import shape_of
from actorkalix.errors import ScenarioUnreadable

from .faults import Faults, Preset
from .plan import (
    CLIENTS_MAX,
    ENTITIES_MAX,
    HOSTS_MAX,
    OPERATIONS_MAX,
    RUNS_MAX,
    SHARDS_MAX,
    Plan,
    draw_plan,
)
from .run import RULE_NAMES
from .workload import Workload

_Text = Annotated[str, Meta(min_length=1)]
_Share = Annotated[float, Meta(ge=0, le=1)]


class Expect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a scenario with a planted bug must find.

    Attributes:
        rule: that is broken.
    """

    rule: str

    def __post_init__(self) -> None:
        if self.rule not in RULE_NAMES:
            raise ValueError(f"there is no rule {self.rule!r}; there are {', '.join(RULE_NAMES)}")


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a simulation plays; see `draw_plan` for what the numbers mean.

    Attributes:
        name: of the scenario.
        service: `module:attribute` or `path/to/file.py:attribute`, as `actorkalix run` takes it.
        about: what it shows.
        hosts, clients, operations, entities, shards, keyed, queries: of each run.
        runs: how many seeds are played.
        workload: what clients ask.
        faults: what goes wrong, and how often.
        expect: what must be found; None when nothing may be.
    """

    name: _Text
    service: _Text
    about: str = ""
    hosts: Annotated[int, Meta(ge=1, le=HOSTS_MAX)] = 3
    clients: Annotated[int, Meta(ge=1, le=CLIENTS_MAX)] = 5
    operations: Annotated[int, Meta(ge=1, le=OPERATIONS_MAX)] = 200
    entities: Annotated[int, Meta(ge=1, le=ENTITIES_MAX)] = 4
    shards: Annotated[int, Meta(ge=1, le=SHARDS_MAX)] = 8
    keyed: _Share = 0.3
    queries: _Share = 0.3
    runs: Annotated[int, Meta(ge=1, le=RUNS_MAX)] = 100
    workload: Workload = Workload()
    faults: Faults = msgspec.field(default_factory=Faults.usual)
    expect: Expect | None = None

    def plan(self, service: ServiceDescriptor, seed: int) -> Plan:
        """The plan of one seed; see `draw_plan` for what it raises."""
        return draw_plan(
            service,
            seed,
            hosts=self.hosts,
            clients=self.clients,
            operations=self.operations,
            entities=self.entities,
            shards=self.shards,
            keyed=self.keyed,
            queries=self.queries,
            faults=self.faults,
            workload=self.workload,
        )


def read_scenario(path: str | Path) -> Scenario:
    """Read a scenario's file.

    Raises:
        ScenarioUnreadable: there is no such file, or it is no scenario; the message names the key
            and what would be right.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ScenarioUnreadable(f"{path}: {error.strerror or error}") from error
    try:
        return parse_scenario(data)
    except ScenarioUnreadable as problem:
        raise ScenarioUnreadable(f"{path}, {problem}") from problem


def parse_scenario(data: bytes) -> Scenario:
    """Read a scenario.

    Raises:
        ScenarioUnreadable: it is none; the message names the key and what would be right.
    """
    try:
        found: dict[str, Any] = tomllib.loads(data.decode())
    except UnicodeDecodeError as problem:
        raise ScenarioUnreadable(f"byte {problem.start}: not UTF-8") from problem
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise ScenarioUnreadable(f"not TOML: {problem}") from problem
    if is_object(rates := found.get("faults")):
        found["faults"] = _with_preset(rates)
    try:
        return msgspec.convert(found, Scenario)
    except msgspec.ValidationError as problem:
        path, said = validation(str(problem), shape_of(Scenario))
        _refuse(path.removeprefix(".") or "scenario", said)


def _with_preset(rates: dict[str, Any]) -> dict[str, Any]:
    """All rates: those of the preset, and in their places what the file says instead."""
    preset = rates.pop("preset", "usual")
    if preset not in get_args(Preset):
        _refuse("faults.preset", f"there is no {preset!r}; there are {', '.join(get_args(Preset))}")
    return {**msgspec.structs.asdict(Faults.preset(preset)), **rates}


def _refuse(key: str, text: str) -> NoReturn:
    raise ScenarioUnreadable(f"{key}: {text}")
