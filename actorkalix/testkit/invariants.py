"""Invariants: what must hold of a service whatever happens to it, said by its own author.

Theory of operation. An invariant is a function with one parameter, and the parameter's type says
what it looks at. `Outcome` is the whole service after a run, read from what its disks have once
everything is over. The type of a component's state is every version of every entity of it, folded
by the engine from what is stored; the events of one command are one version, for nobody ever sees
what is between them. What the function raises is a finding under its name.
"""

from __future__ import annotations

import inspect
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import update_wrapper
from typing import Any, Generic, TypeVar, cast, get_type_hints, overload

import msgspec

from actorkalix.describe.descriptors import ComponentDescriptor, ServiceDescriptor
from actorkalix.describe.shapes import name_of
from actorkalix.engine import behavior_for
from actorkalix.limits import Limits
from actorkalix.model.component import ComponentClass, _names_around
from actorkalix.runtime.fold import Fold
from actorkalix.testkit.checking import Finding
from actorkalix.testkit.history import History
from actorkalix_storage.api import RecordKind, StoredRecord

from .caught import Caught, said_of
from .simulation.run import RULE_NAMES, Judge, Played

T = TypeVar("T")
C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")
CHANGES = (RecordKind.EVENT, RecordKind.STATE, RecordKind.DELETED)


class Invariant(Generic[T]):
    """A function that says what must hold; `invariant` makes it. It can be called as before.

    Attributes:
        name: of the function, under which it is reported.
        of: the component whose states it looks at, where it was named.
    """

    __name__: str

    def __init__(
        self, check: Callable[[T], object], of: type[Any] | None, names: Mapping[str, Any]
    ) -> None:
        self.name = check.__name__
        self.of = of
        self._check = check
        self._names = names
        update_wrapper(self, check)

    def __call__(self, value: T, /) -> None:
        self._check(value)

    def __repr__(self) -> str:
        return f"<invariant {self.name}>"

    @property
    def looks_at(self) -> Any:
        """The type of its one parameter.

        Raises:
            TypeError: it has no such parameter, or the type is not known.
        """
        parameters = list(inspect.signature(self._check).parameters)
        if len(parameters) != 1:
            raise TypeError(f"{self._right}; it has {len(parameters)} parameters")
        try:
            hints = get_type_hints(self._check, localns=dict(self._names))
        except NameError as error:
            raise TypeError(f"{self._right}; {error}") from error
        if parameters[0] not in hints:
            raise TypeError(f"{self._right}; {parameters[0]!r} has no type")
        return hints[parameters[0]]

    @property
    def _right(self) -> str:
        return (
            f"invariant {self.name}: it has one parameter, whose type is Outcome or that of a "
            "component's state"
        )


@overload
def invariant(check: Callable[[T], object], /) -> Invariant[T]: ...


@overload
def invariant(*, of: type[Any]) -> Callable[[Callable[[T], object]], Invariant[T]]: ...


def invariant(
    check: Callable[[T], object] | None = None, /, *, of: type[Any] | None = None
) -> Invariant[T] | Callable[[Callable[[T], object]], Invariant[T]]:
    """Mark a function that says what must hold of a service: `assert` what must.

    With a parameter of type `Outcome` it is called once, after the run; with one of the type of a
    component's state, with every version of every entity of that component.

    Args:
        check: the function.
        of: the component, where several have states of that type.
    """
    names = _names_around(sys._getframe(1))
    if check is not None:
        return Invariant(check, of, names)
    return lambda given: Invariant(given, of, names)


class Version(msgspec.Struct, frozen=True):
    """An entity after one of its changes.

    Attributes:
        number: of the version, from 1.
        state: then.
        deleted: it was deleted by the change.
        operation: that changed it, where it is known.
    """

    number: int
    state: Any
    deleted: bool
    operation: int | None


class Outcome:
    """A service after a simulated run, as its disks have it.

    Attributes:
        history: what was asked and answered.
    """

    def __init__(self, service: ServiceDescriptor, limits: Limits, played: Played) -> None:
        self.history: History = played.history
        self._service = service
        self._limits = limits
        self._played = played
        self._changes = _changes(played)

    def state(self, component: ComponentClass[C, S, E], entity: str, /) -> S:
        """The state of an entity; the empty one where nothing of it is stored.

        Raises:
            TypeError: the service has no such component.
        """
        descriptor = _component(self._service, component)
        return cast("S", self._last(descriptor, entity).state)

    def states(self, component: ComponentClass[C, S, E], /) -> dict[str, S]:
        """The states of all entities of which something is stored, without deleted ones, by id.

        Raises:
            TypeError: the service has no such component.
        """
        descriptor = _component(self._service, component)
        last = {entity: self._last(descriptor, entity) for entity in self._entities(descriptor)}
        return {entity: each.state for entity, each in last.items() if not each.deleted}

    def versions(self, component: ComponentClass[C, S, E], /) -> Iterator[tuple[str, Version]]:
        """All versions of all entities, with their ids.

        Raises:
            TypeError: the service has no such component.
        """
        descriptor = _component(self._service, component)
        for entity in self._entities(descriptor):
            for version in self._folded(descriptor, entity):
                yield entity, version

    def _entities(self, descriptor: ComponentDescriptor) -> list[str]:
        return sorted(e for component, e in self._changes if component == descriptor.component_id)

    def _last(self, descriptor: ComponentDescriptor, entity: str) -> Version:
        empty = behavior_for(descriptor, self._limits).empty(entity).state
        first = Version(0, empty, deleted=False, operation=None)
        return [first, *self._folded(descriptor, entity)][-1]

    def _folded(self, descriptor: ComponentDescriptor, entity: str) -> Iterator[Version]:
        """Versions of an entity; what one command did is one."""
        behavior = behavior_for(descriptor, self._limits)
        changes = self._changes.get((descriptor.component_id, entity), [])
        for _, life in itertools.groupby(changes, lambda change: change[0].incarnation):
            fold = Fold(behavior, entity, None)
            for _, steps in itertools.groupby(life, _step):
                step = list(steps)
                stored, operation = step[-1]
                state = fold.after(*(each for each, _ in step))
                deleted = stored.record.kind is RecordKind.DELETED
                yield Version(stored.version, state, deleted, operation)


def judges_of(
    service: ServiceDescriptor, limits: Limits, invariants: Iterable[Invariant[Any]]
) -> dict[str, Judge]:
    """The rules that invariants are, by name.

    Raises:
        TypeError: one is no invariant, or looks at nothing that the service has; the message names
            it and says what would be right.
        ValueError: two have one name, or one has that of a rule that is judged anyway.
    """
    judges: dict[str, Judge] = {}
    for each in invariants:
        if not isinstance(cast("object", each), Invariant):
            raise TypeError(f"invariants: {each!r} is none; mark the function with @invariant")
        if each.name in judges or each.name in RULE_NAMES:
            whose = "a rule of ours" if each.name in RULE_NAMES else "another one"
            raise ValueError(f"invariants: {each.name!r} is the name of {whose} too; rename it")
        judges[each.name] = _judge(service, limits, each)
    return judges


def _judge(service: ServiceDescriptor, limits: Limits, invariant: Invariant[Any]) -> Judge:
    if invariant.of is None and invariant.looks_at is Outcome:
        return lambda played: _of_outcome(invariant, Outcome(service, limits, played))
    component = _looked_at(service, invariant)
    return lambda played: _of_versions(invariant, component, Outcome(service, limits, played))


def _of_outcome(invariant: Invariant[Any], outcome: Outcome) -> Iterator[Finding]:
    caught = Caught()
    with caught:
        invariant(outcome)
    if caught.error is not None:
        yield Finding(said_of(caught.error))


def _of_versions(
    invariant: Invariant[Any], component: ComponentDescriptor, outcome: Outcome
) -> Iterator[Finding]:
    caught, versions = Caught(), list[tuple[str, Version]]()
    with caught:
        versions = list(outcome.versions(cast("Any", component.cls)))
    if caught.error is not None:
        yield Finding(said_of(caught.error), component.component_id)
    for entity, version in versions:
        with caught:
            invariant(version.state)
        if caught.error is not None:
            where = f"{component.component_id} {entity!r}, version {version.number}"
            text = f"{where}: {said_of(caught.error)}; the state is {version.state!r}"
            operations = () if version.operation is None else (version.operation,)
            yield Finding(text, component.component_id, entity, operations)


def _looked_at(service: ServiceDescriptor, invariant: Invariant[Any]) -> ComponentDescriptor:
    """The component whose states an invariant looks at."""
    if invariant.of is not None:
        return _component(service, invariant.of)
    wanted = invariant.looks_at
    states = [(each, each.state.type) for each in service.components.values() if each.state]
    found = [each for each, state in states if state == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        named = " or ".join(f"@invariant(of={each.cls.__name__})" for each in found)
        raise TypeError(
            f"invariant {invariant.name}: several components have states of the type "
            f"{name_of(wanted)}; write {named}"
        )
    there = ", ".join(f"{name_of(state)} ({each.cls.__name__})" for each, state in states)
    raise TypeError(
        f"invariant {invariant.name}: no component of service {service.name!r} has states of the "
        f"type {name_of(wanted)}; there are {there or 'none'}, and Outcome for all of it"
    )


def _component(service: ServiceDescriptor, component: object) -> ComponentDescriptor:
    for each in service.components.values():
        if each.cls is component:
            return each
    there = ", ".join(each.cls.__name__ for each in service.components.values())
    named = getattr(component, "__name__", repr(component))
    raise TypeError(f"service {service.name!r} has no component {named}; it has {there}")


# ---- what is stored ------------------------------------------------------------------------------
_Change = tuple[StoredRecord, "int | None"]


def _changes(played: Played) -> dict[tuple[str, str], list[_Change]]:
    """What changed each entity, in order, with the operation that did."""
    found: dict[tuple[str, str], list[_Change]] = {}
    for stored, operation, _writer in played.records:
        record = stored.record
        if record.kind in CHANGES:
            found.setdefault((record.component, record.entity), []).append((stored, operation))
    return found


def _step(change: _Change) -> object:
    """Changes of one command have the same; any other has its own."""
    stored, operation = change
    return (True, operation) if operation is not None else (False, stored.version)


def named(functions: Mapping[str, T] | Sequence[T], where: str) -> dict[str, T]:
    """Functions by name, as they were given or as they are called.

    Raises:
        ValueError: two have one name.
    """
    if isinstance(functions, Mapping):
        return dict(functions)
    found: dict[str, T] = {}
    for each in functions:
        name = str(getattr(each, "__name__", each))
        if name in found:
            raise ValueError(f"{where}: two have the name {name!r}; give them as a mapping")
        found[name] = each
    return found
