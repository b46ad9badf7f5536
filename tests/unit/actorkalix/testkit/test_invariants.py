"""Invariants: what they look at, and how they say that they do not hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from actorkalix import Service
from actorkalix.testkit import Outcome, Workload, invariant
from actorkalix.testkit.invariants import Invariant, named
from actorkalix.testkit.simulation.faults import Faults
from actorkalix.testkit.simulation.plan import Call, Plan
from actorkalix.testkit.simulation.run import Run, run_plan
from actorkalix.testkit.simulation.simulating import subject_of
from tests.unit.actorkalix.testkit.seats import (
    House,
    Money,
    Show,
    Till,
    money_is_counted,
    never_oversold,
    service,
)


def played(*asked: tuple[str, str, str, bytes], invariants: list[Invariant[Any]]) -> Run:
    """A run in which one client asks these (component, entity, method, body)."""
    calls = tuple(
        Call(
            client=0,
            number=number,
            wait_us=0,
            component=component,
            entity=entity,
            kind="command",
            method=method,
            body=body,
        )
        for number, (component, entity, method, body) in enumerate(asked)
    )
    plan = Plan(seed=0, hosts=1, shards=2, clients=1, calls=calls, rates=Faults.none())
    return run_plan(subject_of(service, invariants), plan)


def sells(entity: str, count: int) -> tuple[str, str, str, bytes]:
    return "show", entity, "sell", b'{"count":%d}' % count


def takes(entity: str, cents: int) -> tuple[str, str, str, bytes]:
    return "till", entity, "take", b'{"cents":%d}' % cents


def test_every_version_of_every_entity_is_looked_at() -> None:
    seen: list[int] = []

    @invariant
    def look(state: House) -> None:
        seen.append(state.sold)

    run = played(sells("a", 1), sells("a", 1), sells("b", 5), sells("a", 1), invariants=[look])
    assert not run.found
    # What is between two events of one command is no version, though a snapshot is taken there.
    assert seen == [1, 2, 3, 5]


def test_what_does_not_hold_is_a_finding_with_entity_version_and_operation() -> None:
    run = played(sells("a", 1), sells("b", 2), sells("a", 2), invariants=[never_oversold])
    (verdict,) = run.found
    (finding,) = verdict.findings
    assert verdict.rule == "never_oversold"
    assert finding.text.startswith("show 'a', version 4: 3 seats are sold of 2")
    assert "(seats.py:" in finding.text
    assert finding.text.endswith("the state is House(sold=3)")
    assert (finding.component, finding.entity, finding.operations) == ("show", "a", (3,))


def test_the_outcome_has_states_and_history() -> None:
    seen: list[Any] = []

    @invariant
    def look(after: Outcome) -> None:
        seen.append(after.states(Till))
        seen.append((after.state(Till, "a"), after.state(Till, "nobody"), after.state(Show, "a")))
        seen.append([each.method for each in after.history.operations if each.client == "c0"])
        seen.append([(entity, each.state.cents) for entity, each in after.versions(Till)])

    assert not played(takes("b", 1), takes("a", 2), takes("a", 3), invariants=[look]).found
    assert seen == [
        {"a": Money(5), "b": Money(1)},
        (Money(5), Money(), House()),
        ["take", "take", "take"],
        [("a", 2), ("a", 5), ("b", 1)],
    ]


def test_a_deleted_entity_has_no_state() -> None:
    seen: list[Any] = []

    @invariant
    def look(after: Outcome) -> None:
        seen.append(after.states(Show))
        seen.append([each.deleted for _, each in after.versions(Show)])

    played(sells("a", 1), ("show", "a", "close", b""), sells("b", 1), invariants=[look])
    assert seen == [{"b": House(1)}, [False, True, False]]


def test_whatever_is_raised_is_a_finding() -> None:
    @invariant
    def looks_wrong(after: Outcome) -> None:
        after.states(Till)["nobody"]

    @invariant
    def says_nothing(state: Money) -> None:
        assert state.cents == 0

    run = played(takes("a", 7), invariants=[looks_wrong, says_nothing, money_is_counted])
    wrong, nothing = run.found
    assert (wrong.rule, nothing.rule) == ("looks_wrong", "says_nothing")
    assert wrong.findings[0].text.startswith("KeyError: 'nobody' (test_invariants.py:")
    assert "till 'a', version 1: assert " in nothing.findings[0].text


def test_it_can_be_called_as_before() -> None:
    never_oversold(House(2))
    assert never_oversold.__doc__ == "What the race breaks."
    with pytest.raises(AssertionError, match="3 seats are sold of 2"):
        never_oversold(House(3))


def test_one_of_several_components_is_named() -> None:
    class Other(Till, id="other"):
        pass

    both = Service("both", components=[Till, Other])

    @invariant
    def vague(state: Money) -> None:
        assert state

    @invariant(of=Other)
    def exact(state: Money) -> None:
        assert state

    with pytest.raises(TypeError, match=r"type Money; write @invariant\(of=Till\) or @inv.*Other"):
        subject_of(both, [vague])
    assert list(subject_of(both, [exact]).judges) == ["exact"]
    with pytest.raises(TypeError, match="service 'theatre' has no component Other; it has Show"):
        subject_of(service, [exact])


def untyped(state: Any) -> None:
    """Of any type."""


del untyped.__annotations__["state"]


@pytest.mark.parametrize(
    "function, text",
    [
        (untyped, "its type|'state' has no type"),
        (lambda: None, "it has 0 parameters"),
        (Workload, "it has 4 parameters"),
    ],
)
def test_functions_that_do_not_fit(function: Callable[..., object], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        subject_of(service, [invariant(function)])


def test_states_that_nothing_has() -> None:
    @invariant
    def look(state: Workload) -> None:
        assert state

    text = r"look: no component of service 'theatre' has states of the type Workload; there are "
    with pytest.raises(TypeError, match=text + r"House \(Show\), Money \(Till\), and Outcome"):
        subject_of(service, [look])


def test_names_are_of_one() -> None:
    plain = cast("Any", untyped)
    with pytest.raises(TypeError, match=r"untyped.* is none; mark the function with @invariant"):
        subject_of(service, [plain])
    with pytest.raises(ValueError, match="'never_oversold' is the name of another one too"):
        subject_of(service, [never_oversold, never_oversold])

    @invariant
    def durability(state: House) -> None:
        assert state

    with pytest.raises(ValueError, match="'durability' is the name of a rule of ours too"):
        subject_of(service, [durability])
    with pytest.raises(ValueError, match="programs: two have the name 'untyped'"):
        named([untyped, untyped], "programs")
    assert named({"x": untyped}, "programs") == named({"x": untyped}, "") == {"x": untyped}
