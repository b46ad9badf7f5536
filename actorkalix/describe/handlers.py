"""Handlers: from marked methods to descriptors, with everything that is wrong about them."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from typing import Any, cast, get_args, get_origin

from actorkalix.describe.annotations import bindings, resolve, scope_of, settle
from actorkalix.describe.descriptors import (
    ComponentKind,
    HandlerDescriptor,
    HandlerKind,
    Parameter,
    Place,
    RouteDescriptor,
)
from actorkalix.describe.problems import Problems, place_of
from actorkalix.describe.routes import WITH_INSTANCES, check_routes
from actorkalix.describe.shapes import free_variables, is_structured, name_of, substitute, unfit
from actorkalix.model.effects import Effect, Update
from actorkalix.model.handlers import Method, StreamMethod, handlers_of
from actorkalix.model.workflows import CONTROLS

AnyMethod = Method[Any, ..., Any, Any] | StreamMethod[Any, ..., Any]

MARKS: dict[ComponentKind, tuple[str, ...]] = {
    "event_sourced": ("command", "query"),
    "value": ("command", "query"),
    "replicated": ("command", "query"),
    "workflow": ("command", "query", "notifications"),
    "action": ("handler", "route"),
    "view": ("sql",),
}
"""Marks that handlers of a kind may have; "route" is a method with nothing but routes."""

HOOKS = ("empty_state", "apply_event")
"""Methods of users that the runtime calls."""

_WAYS_OUT = (
    "entities do not wait: hand a call on with forward or side_effect, or do it in an action"
)


class Scope:
    """What one class knows about the annotations of its methods, inherited ones too."""

    def __init__(
        self, cls: type[Any], kind: ComponentKind, place: Place, problems: Problems
    ) -> None:
        self.cls = cls
        self.kind: ComponentKind = kind
        self.place = place
        self.problems = problems
        self.local = scope_of(cls)
        self._bindings = bindings(cls)

    def owner(self, name: str) -> type[Any]:
        """The class in whose body a name stands."""
        return next(base for base in self.cls.__mro__ if name in vars(base))

    def type_of(self, annotation: Any, fn: Any, owner: type[Any]) -> Any:
        """The type of an annotation of a method; type variables of generic bases are replaced.

        Raises:
            NameError: a name in it is not there. Other errors of evaluating it come through.
        """
        local = scope_of(owner)
        inner = inspect.unwrap(fn)
        found = resolve(annotation, getattr(inner, "__globals__", {}), local)
        settle(found, local)
        return substitute(found, self._bindings.get(owner, {}))


def describe_handlers(scope: Scope) -> dict[str, HandlerDescriptor]:
    """Descriptors of all handlers of a class, by name; what is wrong goes to `scope.problems`."""
    found: dict[str, HandlerDescriptor] = {}
    for name, method in handlers_of(scope.cls).items():
        found[name] = _Described(scope, name, method).descriptor()
    _check_taken(scope)
    _check_unmarked(scope)
    return found


def parameters_of(scope: Scope, name: str, fn: Any) -> tuple[Parameter, ...]:
    """Parameters of a method that is no handler but takes its input as one, like a step."""
    return _Described(scope, name, Method(fn))._parameters()


def any_marked(cls: type[Any]) -> bool:
    """Whether a class or a base of it marks any method."""
    return any(
        isinstance(value, (Method, StreamMethod))
        for base in cls.__mro__
        for value in vars(base).values()
    )


def _check_taken(scope: Scope) -> None:
    """Names that the bases use: `state`, `effects`, `client` and so on."""
    ours = [base for base in scope.cls.__mro__ if base.__module__.startswith("actorkalix.")]
    taken = {name for base in ours for name in vars(base) if not name.startswith("__")}
    for base in scope.cls.__mro__:
        if base in ours:
            continue
        for name in taken & vars(base).keys():
            value = vars(base)[name]
            marked = isinstance(value, (Method, StreamMethod))
            place = place_of(value.fn if marked else value, scope.place)
            if scope.kind == "workflow" and name in CONTROLS:
                said = f"{name} is what clients do with any workflow"
                scope.problems.add(place, f"{said}; give your own another name")
            elif name not in HOOKS:
                scope.problems.add(place, f"{name} hides self.{name}; give it another name")
            elif marked:
                scope.problems.add(
                    place, f"{name} is called by the runtime, not by clients; take the mark away"
                )


def _check_unmarked(scope: Scope) -> None:
    """A method that hides a handler of a base without being one: its mark was forgotten."""
    marked: dict[str, type[Any]] = {}
    for base in reversed(scope.cls.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, (Method, StreamMethod)):
                marked[name] = base
            elif name in marked and inspect.isfunction(value):
                kind = vars(marked.pop(name))[name].kind
                scope.problems.add(
                    place_of(value, scope.place),
                    f"{name} hides the handler of its base class and has no mark; "
                    f"write @{kind} above it",
                )


class _Described:
    """One handler on its way to a descriptor."""

    def __init__(self, scope: Scope, name: str, method: AnyMethod) -> None:
        self.scope, self.name, self.method = scope, name, method
        self.fn = method.fn
        self.place = place_of(method.fn, scope.place)
        self.owner = scope.owner(name)
        self.streams = False
        self.elements: Parameter | None = None

    def wrong(self, text: str) -> None:
        self.scope.problems.add(self.place, f"{self.name} {text}")

    def descriptor(self) -> HandlerDescriptor:
        self._check_mark()
        self._check_plain()
        parameters = self._parameters()
        reply, effect = self._reply()
        routes = tuple(
            RouteDescriptor(mark.verb, mark.path, Place(mark.file, mark.line))
            for mark in self.method.routes
        )
        kind = cast("HandlerKind", "handler" if self.method.kind == "route" else self.method.kind)
        whole = len(parameters) == 1 and parameters[0].structured
        made = HandlerDescriptor(
            self.name,
            kind,
            self.fn,
            parameters,
            whole,
            reply,
            effect,
            routes,
            self.place,
            blocking=not _waits(self.fn),
            streams=self.streams,
            elements=self.elements,
        )
        check_routes(made, self.scope.kind, self.scope.problems)
        return made

    def _check_mark(self) -> None:
        marks = sorted({mark for mark in self.method.marks if mark != "route"})
        allowed = MARKS[self.scope.kind]
        if len(marks) > 1:
            self.wrong(f"is marked {' and '.join('@' + mark for mark in marks)}; keep one")
        elif self.method.kind not in allowed:
            given = "only a route" if self.method.kind == "route" else f"@{self.method.kind}"
            wanted = " or ".join("@http" if mark == "route" else f"@{mark}" for mark in allowed)
            self.wrong(f"has {given}; handlers of {_KINDS[self.scope.kind]} have {wanted}")
        if self.name.startswith("_"):
            self.wrong("begins with an underscore; handlers are public, name it without")

    def _check_plain(self) -> None:
        if self.scope.kind not in WITH_INSTANCES:
            return
        fn = inspect.unwrap(self.fn)
        if inspect.iscoroutinefunction(fn):
            self.wrong(f"is a coroutine; write it as a plain def: {_WAYS_OUT}")
        elif inspect.isasyncgenfunction(fn) or inspect.isgeneratorfunction(fn):
            self.wrong(
                "is a generator; write it as a plain def that returns once: entities do not stream"
            )

    # ---- parameters -----------------------------------------------------------------------------
    def _parameters(self) -> tuple[Parameter, ...]:
        try:
            signature = inspect.signature(self.fn)
        except (TypeError, ValueError):
            self.wrong("has no signature that can be read; mark a plain method")
            return ()
        declared = list(signature.parameters.values())
        if not declared or declared[0].kind not in (
            declared[0].POSITIONAL_ONLY,
            declared[0].POSITIONAL_OR_KEYWORD,
        ):
            if declared and declared[0].kind is declared[0].VAR_POSITIONAL:
                self.wrong(
                    "takes *args; name its parameters (a decorator of yours needs functools.wraps)"
                )
            else:
                self.wrong("has no self; write it as a method")
            return ()
        made = (self._parameter(one) for one in declared[1:])
        return tuple(one for one in made if one is not None)

    def _parameter(self, declared: inspect.Parameter) -> Parameter | None:
        name = declared.name
        if declared.kind in (declared.VAR_POSITIONAL, declared.VAR_KEYWORD):
            stars = "*" if declared.kind is declared.VAR_POSITIONAL else "**"
            self.wrong(f"takes {stars}{name}; name its parameters, or take a list or dict")
            return None
        if name == "entity_id" and self.scope.kind in WITH_INSTANCES:
            self.wrong("takes entity_id; it is self.entity_id, take the parameter out")
            return None
        tp: Any = Any
        if declared.annotation is declared.empty:
            self.wrong(
                f"has no type for its parameter {name}; write {name}: int, or whatever it is"
            )
        else:
            tp = self._resolved(declared.annotation, f"parameter {name}")
            if self.scope.kind == "action" and (element := _element(tp)) is not tp:
                self._streamed(name, element)
                return None
            for problem in unfit(tp, name):
                self.wrong(f"cannot take its parameters: {problem}")
        required = declared.default is declared.empty
        default = None if required else declared.default
        keyword_only = declared.kind is declared.KEYWORD_ONLY
        return Parameter(name, tp, required, default, is_structured(tp), keyword_only)

    def _streamed(self, name: str, element: Any) -> None:
        """A parameter that is a stream."""
        if self.elements is not None:
            self.wrong(f"takes two streams, {self.elements.name} and {name}; a request has one")
        for problem in unfit(element, name):
            self.wrong(f"cannot take its parameters: {problem}")
        self.elements = Parameter(name, element, structured=is_structured(element))

    def _resolved(self, annotation: Any, what: str) -> Any:
        try:
            tp = self.scope.type_of(annotation, self.fn, self.owner)
        except NameError as problem:
            self.wrong(
                f"has a type for its {what} that cannot be resolved ({problem}); "
                "import it (not under TYPE_CHECKING) or define it above"
            )
            return Any
        except _ANY_EXPRESSION as problem:
            self.wrong(f"has a type for its {what} that cannot be read: {annotation!r} ({problem})")
            return Any
        if free_variables(tp):
            self.wrong(
                f"has a type for its {what} that is still open ({name_of(tp)}); "
                "give the base its types"
            )
            return Any
        return tp

    # ---- reply ----------------------------------------------------------------------------------
    def _reply(self) -> tuple[Any, bool]:
        annotation = (
            self.fn.__annotations__.get("return", _NOT_THERE) if _annotated(self.fn) else _NOT_THERE
        )
        if annotation is _NOT_THERE:
            wanted = (
                "-> Effect[...]"
                if self.method.kind == "command"
                else "-> and the type of its reply"
            )
            self.wrong(f"has no return type; write {wanted}")
            return Any, self.method.kind == "command"
        tp = self._resolved(annotation, "reply")
        if self.scope.kind not in WITH_INSTANCES or self.method.kind == "notifications":
            element = _element(tp)
            self.streams, tp = element is not tp, element
        effect = tp is Effect or get_origin(tp) is Effect
        if tp is Effect:
            self.wrong(
                "returns a bare Effect; write Effect[...] with the type of its reply, "
                "Effect[None] for none"
            )
            return Any, True
        if self.method.kind == "command" and not effect and tp is not Any:
            self._not_an_effect(tp)
        reply = get_args(tp)[0] if effect else tp
        reply = type(None) if reply is None else reply
        if reply not in (typing.Never, typing.NoReturn):
            for problem in unfit(reply):
                self.wrong(f"cannot reply: {problem}")
        return reply, effect

    def _not_an_effect(self, tp: Any) -> None:
        if get_origin(tp) is Update or tp is Update:
            self.wrong("returns an Update; end it with .then_reply(...) and write -> Effect[...]")
        else:
            self.wrong(
                f"is a command and returns {name_of(tp)}; write -> Effect[{name_of(tp)}], "
                "or make it a @query"
            )


_NOT_THERE: Any = object()
_ANY_EXPRESSION = (TypeError, ValueError, SyntaxError, AttributeError, LookupError, ArithmeticError)
"""What evaluating an annotation may raise: it is any expression of the user's."""
_KINDS: Mapping[ComponentKind, str] = {
    "event_sourced": "event sourced entities",
    "value": "value entities",
    "replicated": "replicated entities",
    "workflow": "workflows",
    "action": "actions",
    "view": "views",
}


def _annotated(fn: Any) -> bool:
    try:
        return isinstance(fn.__annotations__, dict)
    except (AttributeError, NameError):
        return False


def _waits(fn: Any) -> bool:
    """Whether calling it gives a coroutine or a stream."""
    inner = inspect.unwrap(fn)
    return inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)


def _element(tp: Any) -> Any:
    """What a stream yields; anything else as it is."""
    name = getattr(get_origin(tp), "__name__", "")
    return get_args(tp)[0] if name in ("AsyncIterator", "AsyncIterable", "AsyncGenerator") else tp
