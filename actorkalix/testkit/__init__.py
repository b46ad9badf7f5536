"""Test kits: one entity, a whole service, or a whole cluster, without Ray, network and real time.

What is imported from here is loaded when it is first asked for: pytest imports this package for its
plugin in every run, also of tests that know nothing of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actorkalix.testkit.action import ActionTestKit as ActionTestKit
    from actorkalix.testkit.concurrently import concurrent as concurrent
    from actorkalix.testkit.entity import EntityTestKit as EntityTestKit
    from actorkalix.testkit.history import History as History
    from actorkalix.testkit.invariants import Invariant as Invariant
    from actorkalix.testkit.invariants import Outcome as Outcome
    from actorkalix.testkit.invariants import invariant as invariant
    from actorkalix.testkit.judging import linearizable as linearizable
    from actorkalix.testkit.recorder import Recorder as Recorder
    from actorkalix.testkit.results import ActionResult as ActionResult
    from actorkalix.testkit.results import Forwarded as Forwarded
    from actorkalix.testkit.results import Result as Result
    from actorkalix.testkit.service import TestService as TestService
    from actorkalix.testkit.simulation.chance import Chance as Chance
    from actorkalix.testkit.simulation.faults import Faults as Faults
    from actorkalix.testkit.simulation.run import Run as Run
    from actorkalix.testkit.simulation.simulating import NotDeterministic as NotDeterministic
    from actorkalix.testkit.simulation.simulating import Simulation as Simulation
    from actorkalix.testkit.simulation.simulating import SimulationFailed as SimulationFailed
    from actorkalix.testkit.simulation.simulating import simulate as simulate
    from actorkalix.testkit.simulation.workload import Workload as Workload
    from actorkalix.testkit.topics import TestMessage as TestMessage
    from actorkalix.testkit.topics import TestTopic as TestTopic
    from actorkalix.testkit.view import ViewTestKit as ViewTestKit
    from actorkalix.testkit.workflow import Ran as Ran
    from actorkalix.testkit.workflow import WorkflowTestKit as WorkflowTestKit

_MODULES = {
    "ActionResult": "results",
    "ActionTestKit": "action",
    "Chance": "simulation.chance",
    "EntityTestKit": "entity",
    "Faults": "simulation.faults",
    "Forwarded": "results",
    "History": "history",
    "Invariant": "invariants",
    "NotDeterministic": "simulation.simulating",
    "Outcome": "invariants",
    "Ran": "workflow",
    "Recorder": "recorder",
    "Result": "results",
    "Run": "simulation.run",
    "Simulation": "simulation.simulating",
    "SimulationFailed": "simulation.simulating",
    "TestMessage": "topics",
    "TestService": "service",
    "TestTopic": "topics",
    "ViewTestKit": "view",
    "WorkflowTestKit": "workflow",
    "Workload": "simulation.workload",
    "concurrent": "concurrently",
    "invariant": "invariants",
    "linearizable": "judging",
    "simulate": "simulation.simulating",
}
"""Where each name is; the imports above say the same to type checkers."""


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(_MODULES)
