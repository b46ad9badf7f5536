"""Topics of an action: what its methods take from them, and what they publish."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

import msgspec

from actorkalix.describe.annotations import members
from actorkalix.describe.descriptors import HandlerDescriptor, ServiceDescriptor, Subscription
from actorkalix.describe.handlers import Scope
from actorkalix.describe.marked import Marked, has_messages, is_stream, is_topic, marked_methods
from actorkalix.describe.shapes import name_of, unfit
from actorkalix.describe.streams import offer_problem, sources_of, streams_taken
from actorkalix.model.effects import Effect
from actorkalix.model.names import topic_problem

_ANY_EXPRESSION = (TypeError, ValueError, SyntaxError, AttributeError, LookupError, ArithmeticError)
"""What evaluating an annotation may raise: it is any expression of the user's."""


# ---- taking --------------------------------------------------------------------------------------
def taken_type(scope: Scope, one: Marked) -> Any:
    """Type of the messages that a method takes; `Any` where it does not say."""
    parameters = list(inspect.signature(one.fn).parameters.values())[1:]
    if not parameters or parameters[0].annotation is inspect.Parameter.empty:
        return Any
    tp = _resolved(scope, one, parameters[0].annotation, f"parameter {parameters[0].name}")
    if one.mark.batch_max and get_origin(tp) is list:
        tp = get_args(tp)[0]
    for problem in (text for member in members(tp) for text in unfit(member, parameters[0].name)):
        scope.problems.add(one.place, f"{one.name} cannot take messages: {problem}")
    return tp


# ---- publishing ----------------------------------------------------------------------------------
def published(scope: Scope) -> dict[str, tuple[str, ...]]:
    """Topics that the methods of a class publish to; what is wrong goes to `scope.problems`."""
    found: dict[str, tuple[str, ...]] = {}
    for one in marked_methods(scope.cls):
        if one.mark.kind != "publish":
            continue
        problem = _wrong(scope, one)
        if problem:
            scope.problems.add(one.place, f"{one.name} {problem}")
        elif has_messages(one.mark.source):
            found[one.name] = (*found.get(one.name, ()), one.mark.source.within)
    return {name: tuple(dict.fromkeys(topics)) for name, topics in found.items()}


def _wrong(scope: Scope, one: Marked) -> str:
    target = one.mark.source
    if scope.kind != "action":
        return "publishes; only actions do: subscribe one to this class"
    if is_stream(target):
        return offer_problem(target) or _returns_nothing(scope, one)
    if not is_topic(target):
        return f'publishes to {target!r}, which is no topic; write topic("name")'
    problem = topic_problem(target.name)
    if problem:
        return f"publishes to a topic whose name {problem}"
    return _returns_nothing(scope, one)


def _returns_nothing(scope: Scope, one: Marked) -> str:
    inner = inspect.unwrap(one.fn)
    if inspect.isasyncgenfunction(inner) or inspect.isgeneratorfunction(inner):
        return "streams what it would publish; return one value, write async def without yield"
    annotation = getattr(inner, "__annotations__", {}).get("return", inspect.Parameter.empty)
    if annotation is inspect.Parameter.empty:
        return "publishes and has no return type; write -> and the type of what it publishes"
    tp = _resolved(scope, one, annotation, "reply")
    value = get_args(tp)[0] if get_origin(tp) is Effect else tp
    if value is None or value is type(None):
        return "publishes what it returns, which is None; return the message"
    return ""


def with_published(
    handlers: Mapping[str, HandlerDescriptor],
    subscriptions: Sequence[Subscription],
    topics: Mapping[str, tuple[str, ...]],
) -> tuple[dict[str, HandlerDescriptor], tuple[Subscription, ...]]:
    """Handlers and subscriptions that know to which topics their methods publish."""
    replace = msgspec.structs.replace
    return (
        {
            name: replace(one, publishes=topics[name]) if name in topics else one
            for name, one in handlers.items()
        },
        tuple(
            replace(
                each,
                handlers={
                    name: replace(one, publishes=topics.get(name, ()))
                    for name, one in each.handlers.items()
                },
            )
            for each in subscriptions
        ),
    )


def topics_of(service: ServiceDescriptor) -> tuple[str, ...]:
    """Names of the topics that a service's components name, in order; those of streams too."""
    found = {*taken_topics(service), *(one.within for one in streams_taken(service))}
    for component in service.components.values():
        for handler in component.handlers.values():
            found.update(handler.publishes)
        for subscription in component.subscriptions:
            for taking in subscription.handlers.values():
                found.update(taking.publishes)
    return tuple(sorted(found))


def taken_topics(service: ServiceDescriptor) -> tuple[str, ...]:
    """Names of the topics that a service's components take messages from, in order."""
    found: set[str] = set()
    for component in service.components.values():
        found.update(source.name for source in sources_of(component) if is_topic(source))
    return tuple(sorted(found))


def _resolved(scope: Scope, one: Marked, annotation: Any, what: str) -> Any:
    try:
        return scope.type_of(annotation, one.fn, scope.owner(one.name))
    except NameError as problem:
        said = f"cannot be resolved ({problem}); import it (not under TYPE_CHECKING)"
    except _ANY_EXPRESSION as problem:
        said = f"cannot be read: {name_of(annotation)} ({problem})"
    scope.problems.add(one.place, f"{one.name} has a type for its {what} that {said}")
    return Any
