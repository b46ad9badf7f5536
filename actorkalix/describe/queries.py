"""Queries of a view: compiled while its class is defined, with everything that is wrong (VW-97)."""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType
from typing import TYPE_CHECKING, Any

from actorkalix.describe.descriptors import (
    HandlerDescriptor,
    Parameter,
    QueryDescriptor,
    TableDescriptor,
)
from actorkalix.describe.handlers import Scope
from actorkalix.describe.problems import code_of
from actorkalix.describe.shapes import fields_of, is_structured, name_of
from actorkalix.model.handlers import handlers_of

if TYPE_CHECKING:
    from actorkalix.viewsql.query import Query


def describe_queries(
    scope: Scope,
    tables: Mapping[str, TableDescriptor],
    handlers: Mapping[str, HandlerDescriptor],
    *,
    complete: bool,
) -> dict[str, QueryDescriptor]:
    """The queries of a view by method; what is wrong goes to `scope.problems`.

    Args:
        scope: of the view.
        tables: its tables.
        handlers: its methods with `@sql`.
        complete: no table is missing for problems of its own: queries can be compiled.
    """
    methods = handlers_of(scope.cls)
    found: dict[str, QueryDescriptor] = {}
    for name, handler in handlers.items():
        method = methods[name]
        if handler.kind != "sql":
            continue
        understood = not scope.problems.at(handler.place)
        _check_body(scope, handler)
        text: Any = method.sql
        if not _is_text(text):
            said = f'{name} has no SQL, got {text!r}; write @sql("SELECT * FROM ...")'
            scope.problems.add(handler.place, said)
            continue
        parameters = _parameters(scope, handler)
        if complete and understood and parameters is not None:
            streams = handler.streams or method.stream_updates
            made = _compiled(scope, handler, text, tables, parameters, method.stream_updates)
            if made is not None:
                _check_used(scope, handler, made)
                updates = method.stream_updates
                fields = tuple(parameters) if handler.whole_body else ()
                found[name] = QueryDescriptor(name, made, handler, streams, updates, fields)
    if not any(one.kind == "sql" for one in handlers.values()):
        scope.problems.add(scope.place, 'has no query; mark a method with @sql("SELECT ...")')
    return found


def _is_text(text: Any) -> bool:
    try:
        return isinstance(text, str) and bool(text.strip()) and bool(text.encode())
    except UnicodeEncodeError:
        return False


def _parameters(scope: Scope, handler: HandlerDescriptor) -> dict[str, Any] | None:
    """Placeholders and their types: the parameters, or the fields of the one object (VW-62)."""
    objects = [one for one in handler.parameters if one.structured]
    if not objects:
        return {one.name: one.type for one in handler.parameters}
    if not handler.whole_body:
        said = f"{handler.name} takes {objects[0].name}, an object, beside other parameters"
        scope.problems.add(handler.place, f"{said}; take its fields, or it alone")
        return None
    return _fields(scope, handler, objects[0])


def _fields(scope: Scope, handler: HandlerDescriptor, one: Parameter) -> dict[str, Any] | None:
    fields = {field.name: field.type for field in fields_of(one.type)}
    deep = [name for name, tp in fields.items() if is_structured(tp)]
    for name in deep:
        said = f"{handler.name} takes {one.name}.{name}, an object in an object"
        scope.problems.add(handler.place, f"{said}; fields of parameters are plain values")
    return None if deep else fields


def _compiled(
    scope: Scope,
    handler: HandlerDescriptor,
    text: str,
    tables: Mapping[str, TableDescriptor],
    parameters: Mapping[str, Any],
    stream_updates: bool,
) -> Query | None:
    if stream_updates and not handler.streams:
        hint = f"write -> AsyncIterator[{name_of(handler.reply)}]"
        scope.problems.add(handler.place, f"{handler.name} has stream_updates=True; {hint}")
        return None
    from actorkalix.viewsql.compiling import compile_query  # sqlglot is slow to load
    from actorkalix.viewsql.problems import Problem, shown

    try:
        return compile_query(
            text,
            tables={name: one.shape for name, one in tables.items()},
            parameters=parameters,
            result=handler.reply,
            streams=handler.streams,
            stream_updates=stream_updates,
        )
    except Problem as problem:
        for one in problem.errors:
            scope.problems.add(handler.place, f"{handler.name}: {shown(problem.text, one)}")
        return None


def _check_used(scope: Scope, handler: HandlerDescriptor, query: Query) -> None:
    """A parameter that the SQL does not name is a mistake; a shared object may have idle fields."""
    if handler.whole_body:
        return
    named = {one.parameter for one in query.bindings} | {query.page}
    if query.wrapper is not None:
        named.update(name for _, name in query.wrapper.arguments)
    for one in handler.parameters:
        if one.name not in named:
            said = f"{handler.name} has a parameter {one.name}, which its SQL does not name"
            scope.problems.add(handler.place, f"{said}; write :{one.name} in it, or take it away")


# ---- bodies --------------------------------------------------------------------------------------
def _check_body(scope: Scope, handler: HandlerDescriptor) -> None:
    code = code_of(handler.fn)
    if code is not None and not _is_empty(code):
        scope.problems.add(
            handler.place,
            f"{handler.name} has a body that never runs: the SQL is the body; "
            "write raise NotImplementedError",
        )


def _is_empty(code: CodeType) -> bool:
    """Whether a body is a docstring, `...`, `pass` or `raise NotImplementedError`, as compiled."""
    names = set(code.co_names) - {"NotImplementedError"}
    constants = [one for one in code.co_consts if one is not None and one is not Ellipsis]
    if constants and isinstance(constants[0], str):
        constants = constants[1:]
    inner = (
        code.co_freevars
        or code.co_cellvars
        or code.co_nlocals > code.co_argcount + code.co_kwonlyargcount
    )
    return not names and not constants and not inner
