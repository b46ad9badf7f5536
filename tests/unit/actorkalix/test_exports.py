"""The public names; taking one away breaks users, so it is a line in the changelog too."""

from __future__ import annotations

from types import ModuleType

import actorkalix
from actorkalix import crdt, http, testkit

NAMES = """
    Action ActorkalixError Call Calls Client CommandError Context DefinitionError Effect
    EventSourcedEntity HandlerRef Limits Metadata NotInThisVersion Ref ReplicatedEntity Reply
    RowEffect Service StepEffect Stream Timers ValueEntity View Workflow allow_all command crdt
    failover_to handler http max_retries migrate on_delete publish query sql step stream subscribe
    table topic type_name
"""
CRDT_NAMES = """
    CounterMap Crdt Flag GCounter GSet LWWRegister MultiMap ORMap ORSet PNCounter RegisterMap Vote
"""
TESTKIT_NAMES = """
    EntityTestKit Result TestService ViewTestKit WorkflowTestKit linearizable simulate
"""


def public(module: ModuleType) -> set[str]:
    """Names that a module defines or passes on, without submodules that come along."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (not isinstance(value, ModuleType) or name in ("crdt", "http"))
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


def test_everything_public_is_documented() -> None:
    for module in (actorkalix, crdt, http, testkit):
        for name in public(module):
            value = vars(module)[name]
            if getattr(value, "__module__", "").startswith("actorkalix"):
                assert (value.__doc__ or "").strip(), f"{module.__name__}.{name}"
