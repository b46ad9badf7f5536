"""What makes the rows of a view, as one short text: another one means other rows, so a rebuild.

It reads the class's own code, not its files: names and shapes of tables, sources, the instructions
of its methods (those of its bases and of the classes of rows too, but no queries), defaults and
plain constants. Where code stands, what it is commented with, and how the interpreter numbers its
constants makes no difference, so it is the same in every process. Another minor version of Python
compiles to other instructions and gives another one; rows built once too often are right, rows not
built anew are not.
"""

from __future__ import annotations

import dis
import enum
import hashlib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from types import CodeType
from typing import Any, get_origin

from actorkalix.describe.descriptors import TableDescriptor, described
from actorkalix.describe.problems import code_of
from actorkalix.describe.shapes import name_of
from actorkalix.model.handlers import Method, StreamMethod
from actorkalix.model.sources import Source
from actorkalix.viewsql.shapes import Column

_PLAIN = (str, bytes, int, float, complex, bool, type(None), type(...), Decimal)


def fingerprint_of(cls: type[Any], tables: Mapping[str, TableDescriptor], version: int) -> str:
    """The fingerprint of a view: 32 hexadecimal digits.

    Args:
        cls: its class.
        tables: by name.
        version: what its author says of code that stands elsewhere.
    """
    said = hashlib.sha256(f"1 {version}".encode())
    rows = dict.fromkeys(one for table in tables.values() for one in _classes(table))
    for part in (*_tables(tables), *(part for one in (*rows, cls) for part in _members(one))):
        said.update(b"\0" + part.encode("utf-8", "surrogatepass"))
    return said.hexdigest()[:32]


def _tables(tables: Mapping[str, TableDescriptor]) -> Iterator[str]:
    for name in sorted(tables):
        table = tables[name]
        yield f"table {name!r} of {_source(table.source)} pass={table.pass_through}"
        yield from (_column(one) for one in table.shape.columns)
        for handler in table.handlers:
            yield f"handler {handler.name} only={handler.only and name_of(handler.only)}"
        for mark, special in (("delete", table.on_delete), ("snapshot", table.on_snapshot)):
            yield f"{mark} {special and special.name}"


def _source(source: Any) -> str:
    if isinstance(source, Source):
        return f"{source.kind} {source.service} {source.name}"
    component = described(source)
    return f"component {component.component_id if component else source!r}"


def _column(column: Column) -> str:
    element = f" of {_column(column.element)}" if column.element else ""
    inside = ",".join(_column(one) for one in column.fields)
    values = ",".join(column.values)
    where = f"{column.name!r} {'.'.join(column.keys)!r}"
    return f"column {where} {column.kind.value} {column.nullable} [{values}] ({inside}){element}"


def _classes(table: TableDescriptor) -> Iterator[type[Any]]:
    """The class of the rows and of the objects in them."""
    waiting: list[tuple[Any, tuple[Column, ...]]] = [(table.shape.row, table.shape.columns)]
    while waiting:
        tp, columns = waiting.pop(0)
        if isinstance(cls := get_origin(tp) or tp, type):
            yield cls
        inner = (one.element or one for one in columns)
        waiting.extend((one.type, one.fields) for one in inner if one.fields)


# ---- code ----------------------------------------------------------------------------------------
def _members(cls: type[Any]) -> Iterator[str]:
    """Methods, constants and defaults of a class and of the user's bases, by name."""
    found: dict[str, Any] = {"defaults": getattr(cls, "__struct_defaults__", ())}
    for base in reversed(cls.__mro__):
        if base is not object and not base.__module__.startswith("actorkalix."):
            found |= vars(base)
    for name in sorted(found):
        if name.startswith("__") and name.endswith("__") and name not in _COUNTED:
            continue
        value = found[name]
        if isinstance(value, (Method, StreamMethod)):
            continue  # a query: its body never runs
        yield from (f"{name}: {part}" for part in _value(value, set()))


def _value(value: Any, seen: set[int]) -> Iterator[str]:
    """A value as text that is the same in every process; what has none is passed over."""
    if isinstance(value, enum.Enum):
        yield f"{type(value).__name__}.{value.name}"
    elif isinstance(value, _PLAIN):
        yield f"{type(value).__name__} {value!r}"
    elif isinstance(value, (tuple, list, set, frozenset, dict)):
        yield from _collection(value, seen)
    elif isinstance(value, property):
        for one in (value.fget, value.fset):
            yield from _value(one, seen) if one else ()
    elif isinstance(value, CodeType):
        yield from _code(value, seen)
    else:
        inner = getattr(value, "__func__", value)  # of a static method or a class method
        yield from _function(inner, seen) if code_of(inner) is not None else ()


def _collection(value: Any, seen: set[int]) -> Iterator[str]:
    yield f"{type(value).__name__} {len(value)}"
    held: Any = value
    parts: Iterable[Any] = held.items() if isinstance(value, dict) else held
    texts = (" ".join(_value(one, seen)) for one in parts)
    yield from sorted(texts) if isinstance(value, (set, frozenset)) else texts


def _function(fn: Any, seen: set[int]) -> Iterator[str]:
    inner = inspect.unwrap(fn)
    if id(inner) in seen:
        return
    seen.add(id(inner))
    code = code_of(inner)
    if code is not None:
        yield from _code(code, seen)
    yield from _value(getattr(inner, "__defaults__", None), seen)
    yield from _value(getattr(inner, "__kwdefaults__", None), seen)
    for cell in getattr(inner, "__closure__", None) or ():
        try:
            held = cell.cell_contents
        except ValueError:  # not filled yet
            continue
        yield from _value(held, seen)


def _code(code: CodeType, seen: set[int]) -> Iterator[str]:
    """Instructions with what they mean: names and constants, not the numbers of these."""
    yield f"takes {code.co_argcount} {code.co_posonlyargcount} {code.co_kwonlyargcount}"
    yield ",".join(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    yield f"flags {code.co_flags & _FLAGS}"
    for one in dis.get_instructions(code):
        if isinstance(one.argval, CodeType):
            yield one.opname
            yield from _code(one.argval, seen)
        elif one.opcode in dis.hasconst:
            yield f"{one.opname} {' '.join(_value(one.argval, seen))}"
        elif one.opcode in _WITH_NAMES:
            yield f"{one.opname} {one.arg and one.arg & 1} {one.argval}"
        else:
            yield f"{one.opname} {one.arg}"
    table: bytes = getattr(code, "co_exceptiontable", b"")
    yield table.hex()


_COUNTED = ("__init__", "__post_init__", "__new__")
_FLAGS = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS | inspect.CO_GENERATOR
_WITH_NAMES = {*dis.hasname, *dis.haslocal, *dis.hasfree}
