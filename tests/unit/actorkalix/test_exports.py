"""The public names; taking one away breaks users, so it is a line in the changelog too."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType

import pytest

import actorkalix
from actorkalix import crdt, http, testkit

NAMES = """
    Action ActorkalixError Call Calls ChildEnd Client CommandError Context Dedicated
    DefinitionError Effect EventSourcedEntity HandlerRef Limits Metadata NotInThisVersion Promise
    Ref ReplicatedEntity Reply RowEffect Service StepEffect Stream Timers Update ValueEntity View
    Workflow WorkflowUpdate allow_all branch command compensate crdt failover_to handler http
    max_retries migrate on_delete on_snapshot public_stream publish query sql step stream
    subscribe table topic notifications
    type_name
"""
CRDT_NAMES = """
    CounterMap Crdt Flag GCounter GSet LWWRegister MultiMap ORMap ORSet PNCounter RegisterMap Vote
"""
TESTKIT_NAMES = """
    ActionResult ActionTestKit Chance EntityTestKit Faults Forwarded History Invariant
    NotDeterministic Outcome Ran Recorder Result Run Simulation SimulationFailed TestMessage
    TestService TestTopic ViewTestKit WorkflowTestKit Workload concurrent invariant linearizable
    simulate
"""


def public(module: ModuleType) -> set[str]:
    """Names that a module defines or passes on, without submodules that come along."""
    return {
        name
        for name in dir(module)
        if not name.startswith("_")
        and (not isinstance(getattr(module, name), ModuleType) or name in ("crdt", "http"))
    }


def test_names_of_actorkalix() -> None:
    assert public(actorkalix) == set(NAMES.split())


def test_names_of_crdt_and_http() -> None:
    defined = {
        name
        for name, value in vars(crdt).items()
        if isinstance(value, type) and value.__module__ == crdt.__name__
    }
    assert defined == set(CRDT_NAMES.split())
    assert {"get", "post", "put", "patch", "delete"} <= set(vars(http))


def test_names_of_testkit() -> None:
    assert public(testkit) == set(TESTKIT_NAMES.split())
    for name in TESTKIT_NAMES.split():
        assert vars(testkit)[name] is getattr(testkit, name), "found once, then it is there"
    with pytest.raises(AttributeError, match=r"'actorkalix.testkit' has no attribute 'simulat'"):
        testkit.__getattr__("simulat")


def test_type_checkers_see_what_there_is() -> None:
    """The lazy names and the imports that are for type checkers alone are the same."""
    tree = ast.parse(Path(testkit.__file__ or "").read_text(encoding="utf-8"))
    imported = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("actorkalix")
        for alias in node.names
    }
    modules = {name: f"actorkalix.testkit.{module}" for name, module in testkit._MODULES.items()}
    assert imported == modules


def test_everything_public_is_documented() -> None:
    for module in (actorkalix, crdt, http, testkit):
        for name in public(module):
            value = getattr(module, name)
            if getattr(value, "__module__", "").startswith("actorkalix"):
                assert (value.__doc__ or "").strip(), f"{module.__name__}.{name}"
