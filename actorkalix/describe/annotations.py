"""From annotations to types: names in the scope where they stand, type arguments of bases."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Mapping
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Generic,
    Protocol,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from actorkalix.describe.shapes import has_fields, substitute

_LOCALS = "__actorkalix_locals__"
"""Where a class made inside a function keeps the names around it: its annotations use them."""


def remember_locals(cls: type[Any], names: Mapping[str, Any]) -> None:
    """Keep the names around a class statement for the classes that inherit its handlers."""
    if names:
        setattr(cls, _LOCALS, names)


def scope_of(owner: type[Any]) -> dict[str, Any]:
    """Local names for annotations in the body of `owner`.

    Those around the class, its type parameters, itself, and classes in its body; no methods, for
    one named `list` must not hide the builtin.
    """
    parameters = {one.__name__: one for one in getattr(owner, "__type_params__", ())}
    inner = {name: value for name, value in vars(owner).items() if isinstance(value, type)}
    around: Mapping[str, Any] = vars(owner).get(_LOCALS, {})
    return {**around, **parameters, owner.__name__: owner, **inner}


def resolve(annotation: Any, names: Mapping[str, Any], local: Mapping[str, Any]) -> Any:
    """The type that an annotation stands for; strings are read in these global and local names.

    Raises:
        NameError: a name in it is not there. Other errors of evaluating it come through.
    """
    # Anything with annotations will do; a class would bring the names of its module along.
    holder: Any = types.SimpleNamespace(__annotations__={"it": annotation})
    return expand(get_type_hints(holder, dict(names), dict(local), include_extras=True)["it"])


def expand(tp: Any) -> Any:
    """A type with the values of its aliases (`type Event = A | B`) in their place."""
    value = getattr(tp, "__value__", None)
    if value is not None and type(tp).__name__ == "TypeAliasType":
        return expand(value)
    origin, args = get_origin(tp), get_args(tp)
    if origin is not None and type(origin).__name__ == "TypeAliasType":
        return expand(origin.__value__[args])
    if origin in (typing.Literal, Annotated) or not any(_holds_alias(one) for one in args):
        return tp
    expanded = tuple(expand(one) for one in args)
    if origin in (Union, types.UnionType):
        union = expanded[0]
        for one in expanded[1:]:
            union = union | one
        return union
    generic: Any = origin
    return tp.copy_with(expanded) if hasattr(tp, "copy_with") else generic[expanded]


def _holds_alias(tp: Any) -> bool:
    alias = "TypeAliasType" in (type(tp).__name__, type(get_origin(tp)).__name__)
    return alias or any(_holds_alias(one) for one in get_args(tp))


def members(tp: Any) -> tuple[Any, ...]:
    """Members of a union; anything else alone."""
    return get_args(tp) if get_origin(tp) in (Union, types.UnionType) else (tp,)


def arguments_of(cls: type[Any], base: type[Any]) -> tuple[Any, ...]:
    """Type arguments that a class gives to a generic base; type variables where it gives none."""
    given = bindings(cls).get(base, {})
    return tuple(given.get(one, one) for one in getattr(base, "__parameters__", ()))


def bindings(cls: type[Any]) -> dict[type[Any], dict[Any, Any]]:
    """What the type variables of each base of a class stand for, through all bases between."""
    found: dict[type[Any], dict[Any, Any]] = {cls: {}}
    _bind(cls, found)
    return found


def _bind(cls: type[Any], found: dict[type[Any], dict[Any, Any]]) -> None:
    names = found[cls]
    for base in cls.__dict__.get("__orig_bases__", cls.__bases__):
        origin = get_origin(base) or base
        if origin in (Generic, Protocol, object) or not isinstance(origin, type):
            continue
        arguments = [substitute(_resolved_argument(one, cls), names) for one in get_args(base)]
        given = dict(zip(getattr(origin, "__parameters__", ()), arguments, strict=False))
        found[origin] = {**given, **found.get(origin, {})}
        _bind(origin, found)


def _resolved_argument(argument: Any, cls: type[Any]) -> Any:
    if isinstance(argument, (str, ForwardRef)):
        module = sys.modules.get(cls.__module__)
        argument = resolve(argument, vars(module) if module else {}, scope_of(cls))
    return expand(argument)


def settle(tp: Any, local: Mapping[str, Any]) -> None:
    """Resolve what the fields of data classes made inside a function name there.

    With postponed evaluation their annotations are strings, and nobody but the caller's frame knows
    the names in them. Each is replaced in the class by its type, as Python itself does without
    postponed evaluation.
    """
    if local:
        _settle(tp, local, set())


def _settle(tp: Any, local: Mapping[str, Any], seen: set[int]) -> None:
    for part in get_args(tp):
        _settle(part, local, seen)
    cls = get_origin(tp) or tp
    if not has_fields(cls) or id(cls) in seen:
        return
    seen.add(id(cls))
    for base in cls.__mro__:
        module = sys.modules.get(base.__module__)
        names = vars(module) if module else {}
        for name, annotation in inspect.get_annotations(base).items():
            found = annotation
            if isinstance(annotation, (str, ForwardRef)):
                found = _settled(annotation, names, {**local, base.__name__: base})
                if found is None:
                    continue
                if _settled(annotation, names, {}) is None:
                    base.__annotations__[name] = found
            _settle(found, local, seen)


def _settled(annotation: Any, names: Mapping[str, Any], local: Mapping[str, Any]) -> Any:
    try:
        return resolve(annotation, names, local)
    except (NameError, TypeError, AttributeError):
        return None  # said with file and line where the type is used
