"""From a user's class to its descriptor, while its class statement runs; every problem at once."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import FrameType
from typing import Any, cast

from actorkalix.describe.actions import check_action
from actorkalix.describe.annotations import arguments_of, remember_locals, settle
from actorkalix.describe.descriptors import (
    DESCRIPTOR,
    ComponentDescriptor,
    ComponentKind,
    HandlerDescriptor,
    Place,
    StoredType,
    described,
)
from actorkalix.describe.handlers import Scope, any_marked, describe_handlers
from actorkalix.describe.names import check_id, check_options, keep_options, with_inherited
from actorkalix.describe.problems import Problems, class_frame, class_place, place_of, written_twice
from actorkalix.describe.routes import check_clashes
from actorkalix.describe.shapes import free_variables, name_of
from actorkalix.describe.storage import describe_events, describe_state
from actorkalix.describe.subscriptions import describe_subscriptions
from actorkalix.describe.tables import check_no_tables
from actorkalix.describe.topics import published, with_published
from actorkalix.describe.views import describe_view
from actorkalix.describe.workflows import describe_steps, refuse_steps
from actorkalix.errors import DefinitionError
from actorkalix.model.actions import Action
from actorkalix.model.component import Component
from actorkalix.model.entities import EventSourcedEntity, ReplicatedEntity, ValueEntity
from actorkalix.model.views import View
from actorkalix.model.workflows import Workflow

BASES: dict[ComponentKind, type[Any]] = {
    "event_sourced": EventSourcedEntity,
    "value": ValueEntity,
    "replicated": ReplicatedEntity,
    "workflow": Workflow,
    "action": Action,
    "view": View,
}
_ARGUMENTS: dict[ComponentKind, str] = {
    "event_sourced": "EventSourcedEntity[State, Event1 | Event2]",
    "value": "ValueEntity[State]",
    "replicated": "ReplicatedEntity[PNCounter]",
    "workflow": "Workflow[State]",
}
_HOOKS: dict[ComponentKind, dict[str, tuple[str, ...]]] = {
    "event_sourced": {"empty_state": (), "apply_event": ("state", "event")},
    "value": {"empty_state": ()},
}


def define(
    cls: type[Any], options: Mapping[str, Any], localns: Mapping[str, Any]
) -> ComponentDescriptor | None:
    """Describe a class while its class statement runs.

    Args:
        cls: a subclass of a component base.
        options: its class options.
        localns: names around the class statement, when it stands in a function or class.

    Returns:
        The descriptor, which the class keeps; None for `abstract=True`: problems of a base are said
        where a class that can be used inherits them.

    Raises:
        DefinitionError: lists every problem of the class, each with file and line.
    """
    remember_locals(cls, localns)
    keep_options(cls, options)
    if options.get("abstract", False) is True and "id" not in options:
        return None
    frame = class_frame(cls)
    place = class_place(cls, frame)
    problems = Problems(cls.__name__)
    kind = _kind_of(cls, place, problems)
    if kind is None:
        problems.raise_if_any()
        raise AssertionError("a class without a kind has a problem")
    descriptor = _describe(cls, kind, with_inherited(cls, kind, options), frame, problems)
    problems.raise_if_any()
    setattr(cls, DESCRIPTOR, descriptor)
    return descriptor


def descriptor_of(cls: Any) -> ComponentDescriptor:
    """The descriptor of a component class.

    Raises:
        DefinitionError: it is no component, or an abstract one.
    """
    found = described(cls)
    if found is not None:
        return found
    if not (isinstance(cls, type) and issubclass(cls, Component)):
        raise DefinitionError(
            f"{name_of(cls)} is no component: subclass one of the kinds, like EventSourcedEntity"
        )
    raise DefinitionError(f"{cls.__name__} is abstract: subclass it with an id")


def _kind_of(cls: type[Any], place: Place, problems: Problems) -> ComponentKind | None:
    kinds: list[ComponentKind] = [kind for kind, base in BASES.items() if issubclass(cls, base)]
    names = [BASES[kind].__name__ for kind in kinds]
    if len(kinds) > 1:
        problems.add(place, f"is {' and '.join(names)} at once; make it two components")
    if not kinds:
        known = ", ".join(base.__name__ for base in BASES.values())
        problems.add(place, f"subclasses none of the kinds of components; they are {known}")
    return kinds[0] if len(kinds) == 1 else None


def _describe(
    cls: type[Any],
    kind: ComponentKind,
    options: Mapping[str, Any],
    frame: FrameType | None,
    problems: Problems,
) -> ComponentDescriptor:
    place = class_place(cls, frame)
    component_id = check_id(cls, options, place, problems)
    check_options(kind, options, place, problems)
    if options.get("abstract"):
        problems.add(place, "is abstract and has an id; leave one of the two out")
    try:
        scope = Scope(cls, kind, place, problems)
    except (NameError, TypeError) as problem:
        problems.add(
            place, f"its type arguments cannot be resolved ({problem}); import or define them above"
        )
        problems.raise_if_any()
        raise
    handlers = describe_handlers(scope)
    _check_written_twice(cls, handlers, frame, problems)
    _check_made(cls, place, problems)
    if kind in ("event_sourced", "value") and not any_marked(cls):
        problems.add(place, "has no handler; mark one with @command or @query")
    for name, parameters in _HOOKS.get(kind, {}).items():
        _check_hook(scope, name, parameters)
    if kind == "action":
        check_action(scope, options, handlers)
    if kind != "view":
        check_no_tables(scope)
    view = describe_view(scope, options, handlers) if kind == "view" else None
    subscriptions = describe_subscriptions(scope, component_id) if kind == "action" else ()
    handlers, subscriptions = with_published(handlers, subscriptions, published(scope))
    if kind != "workflow":
        refuse_steps(scope)
    steps = describe_steps(scope, options, handlers) if kind == "workflow" else {}
    state, events = _stored(scope)
    further = {
        name: value
        for name, value in options.items()
        if name not in ("id", "abstract", "snapshot_every")
    }
    made = ComponentDescriptor(
        *(component_id, kind, cls, handlers, place, state, events, _every(options), further),
        subscriptions=subscriptions,
        view=view,
        steps=steps,
    )
    check_clashes([made], problems)
    return made


def _every(options: Mapping[str, Any]) -> int:
    return cast("int", options.get("snapshot_every", 100))


def _stored(scope: Scope) -> tuple[StoredType | None, tuple[StoredType, ...]]:
    kind = scope.kind
    if kind not in _ARGUMENTS:
        return None, ()
    arguments = arguments_of(scope.cls, BASES[kind])
    if any(free_variables(one) for one in arguments):
        scope.problems.add(
            scope.place, f"says no types: write class {scope.cls.__name__}({_ARGUMENTS[kind]}, ...)"
        )
        return None, ()
    if kind == "replicated":
        return None, ()
    for one in arguments:
        settle(one, scope.local)
    state = describe_state(arguments[0], scope.place, scope.problems)
    events = (
        describe_events(arguments[1], scope.place, scope.problems)
        if kind == "event_sourced"
        else ()
    )
    return state, events


def _check_written_twice(
    cls: type[Any],
    handlers: Mapping[str, HandlerDescriptor],
    frame: FrameType | None,
    problems: Problems,
) -> None:
    for name, places in written_twice(cls, frame).items():
        if name in handlers:
            first = f"{places[0].file}:{places[0].line}"
            problems.add(
                places[-1], f"{name} is written twice, first at {first}; give one another name"
            )


def _check_made(cls: type[Any], place: Place, problems: Problems) -> None:
    """The runtime makes objects of the class, without arguments."""
    init = cls.__init__
    if init is object.__init__ or not inspect.isfunction(init):
        return
    needed = [
        one.name
        for one in list(inspect.signature(init).parameters.values())[1:]
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    if needed:
        problems.add(
            place_of(init, place),
            f"__init__ needs {', '.join(needed)}; "
            "the runtime makes objects of the class without arguments",
        )


def _check_hook(scope: Scope, name: str, parameters: tuple[str, ...]) -> None:
    base = BASES[scope.kind]
    value = inspect.getattr_static(scope.cls, name)
    if value is vars(base)[name]:
        returns = (
            "-> the state before the first change"
            if name == "empty_state"
            else "-> the state after it"
        )
        said = f"def {name}(self{''.join(', ' + one for one in parameters)}) {returns}"
        scope.problems.add(scope.place, f"{name} is missing; write {said}")
        return
    if not inspect.isfunction(value):
        return
    place = place_of(value, scope.place)
    if (
        inspect.iscoroutinefunction(value)
        or inspect.isgeneratorfunction(value)
        or inspect.isasyncgenfunction(value)
    ):
        scope.problems.add(
            place,
            f"{name} is a coroutine or generator; write it as a plain def that returns the state",
        )
    try:
        inspect.signature(value).bind(None, *parameters)
    except TypeError:
        takes = ", ".join(("self", *parameters))
        scope.problems.add(place, f"{name} takes {takes}; the runtime gives it nothing else")
