"""From what is selected to the fields of a result: which cell goes where (VW-44, VW-64)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Mapping as Mapped

import msgspec

from actorkalix.describe.shapes import name_of
from actorkalix.viewsql.blocks import Block
from actorkalix.viewsql.output import Cell, Many, Object, Output, Part, Whole
from actorkalix.viewsql.problems import meant
from actorkalix.viewsql.results import (
    Field,
    fields,
    fits,
    is_array,
    is_class_with_fields,
    misfit,
    zero,
)
from actorkalix.viewsql.scalars import is_null
from actorkalix.viewsql.scope import Source, Value
from actorkalix.viewsql.shapes import Column, ColumnKind
from actorkalix.viewsql.syntax import Call, Collect, Expr, Group, Item, Param, Path, Star


class Cells:
    """What a statement selects; the same twice is one."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self.values: list[Value] = []

    def add(self, value: Value) -> int:
        """The place of a value."""
        found = self._places.setdefault(value.sql, len(self.values))
        if found == len(self.values):
            self.values.append(value)
        return found

    @property
    def sql(self) -> list[str]:
        """What stands behind SELECT."""
        return [one.sql for one in self.values]


def name_of_item(item: Item) -> str:
    """What an item is called in a result; empty for what has no name of its own."""
    if item.alias is not None:
        return item.alias
    match item.value:
        case Path(parts=parts):
            return parts[-1]
        case Param(name=name):
            return name
        case Call(name="total_count"):
            return "totalCount"
        case Call(name=name):
            return name
        case _:
            return ""


def is_list(item: Item, known: dict[str, Field], block: Block) -> bool:
    """Whether an item is collected: it says so, or its field of the result is a list (VW-44)."""
    node = item.value
    if isinstance(node, Collect):
        return True
    field = known.get(name_of_item(item))
    if field is None or field.column is None or field.column.kind is not ColumnKind.LIST:
        return False
    if isinstance(node, Star | Group):
        return True
    value = block.many(lambda: block.expressions.value(node))
    return value is not None and value.kind is not ColumnKind.LIST


def nested_lists(items: Sequence[Item], known: dict[str, Field], block: Block) -> list[Item]:
    """Items in lists that are lists themselves."""
    found: list[Item] = []
    for item in items:
        field = known.get(name_of_item(item))
        element = field.column.element if field is not None and field.column is not None else None
        if element is not None and element.kind is ColumnKind.OBJECT:
            inside = fields(element.type)
            found += [one for one in inner_items(item) if is_list(one, inside, block)]
    return found


class Mapping:
    """Maps items onto classes, and says what does not fit.

    Args:
        block: whose items they are.
        cells: that they take.
        inside: maps what lists in them are made of; None where there can be none.
    """

    def __init__(self, block: Block, cells: Cells, inside: Mapping | None = None) -> None:
        self._block = block
        self._findings = block.context.findings
        self._cells = cells
        self._inside = inside
        self.whole = True

    @property
    def aggregates(self) -> bool:
        """Whether a row is made of many."""
        return any(one.aggregate for one in self._cells.values)

    @property
    def takes_lists(self) -> bool:
        """Whether what it maps may be groups."""
        return self._inside is not None

    def element(self, items: Sequence[Item], cls: object, where: Item | Expr) -> Output | None:
        """An object of a class; None when something does not fit, which is noted."""
        only = items[0].value if len(items) == 1 and items[0].alias is None else None
        if isinstance(only, Star):
            sources = self._block.scope.table(only)
            if len(sources) == 1 and sources[0].shape and sources[0].shape.row == cls:
                return Whole(self._cells.add(_row(sources[0])), sources[0].nullable)
        if not is_class_with_fields(cls):
            self._note(
                where, f"several values do not fit into {name_of(cls)}; declare a class for them"
            )
            return None
        known = fields(cls)
        named = self._named(items, known)
        stars = self._starred([one for one in items if not name_of_item(one)])
        self.check_missing(known, {*named, *stars}, where, is_array(cls))
        parts: list[Part] = []
        for field in known.values():
            item = named.get(field.name)
            if item is not None:
                out = self.item(item, field)
            elif field.name in stars:
                found = stars[field.name]
                if len(found) > 1:
                    tables = " and ".join(source.alias for source, _ in found)
                    text = f"{field.name} is in {tables}; select the one that is meant"
                    self._note(where, text)
                    continue
                source, column = found[0]
                out = self._value(source.value(column), field, where)
            else:
                continue
            if out is not None:
                parts.append(Part(field.key, out))
        return Object(tuple(parts), as_array=is_array(cls))

    def check_missing(
        self,
        known: Mapped[str, Field],
        selected: Collection[str],
        where: Item | Expr,
        as_array: bool = False,
    ) -> None:
        """Say which fields of a result nothing selects; an array has all of them."""
        needed = [one for one in known.values() if one.required or as_array]
        missing = [one.name for one in needed if one.name not in selected]
        if missing:
            near = meant(missing[0], selected) if len(missing) == 1 else ""
            self._note(where, f"nothing selects the result's {', '.join(missing)}{near}")

    def _named(self, items: Sequence[Item], known: dict[str, Field]) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for item in items:
            name = name_of_item(item)
            if not name:
                if not isinstance(item.value, Star):
                    self._note(item, "what is selected has a name: ... AS name")
            elif name in found:
                self._note(item, f"two items are called {name}; give one another name with AS")
            elif name not in known:
                self._note(item, f"the result has no field {name}{meant(name, known)}")
            else:
                found[name] = item
        return found

    def _starred(self, items: Sequence[Item]) -> dict[str, list[tuple[Source, Column]]]:
        found: dict[str, list[tuple[Source, Column]]] = {}
        for item in items:
            if isinstance(item.value, Star):
                sources = self._block.scope.table(item.value)
                self.whole = self.whole and bool(sources)
                for source in sources:
                    for column in source.columns:
                        found.setdefault(column.path[-1], []).append((source, column))
        return found

    def item(self, item: Item, field: Field) -> Output | None:
        column = field.column
        if column is None:
            self._note(item, f"the result's field {field.problem}")
            return None
        if is_list(item, {field.name: field}, self._block):
            return self.many(item, field)
        if isinstance(item.value, Star | Group):
            inner = inner_items(item)
            out = self.element(inner, column.type, item)
            missing = self._missing(inner)
            if missing and not column.nullable:
                self._note(item, _nothing(field.name))
            if isinstance(out, Object):
                return msgspec.structs.replace(out, present=self._present(missing))
            return out
        value = self._block.many(lambda: self._block.expressions.value(item.value))
        if value is None:
            self.whole = False
            return None
        return self._value(value, field, item)

    def many(self, item: Item, field: Field) -> Many | None:
        """A list; None when its elements do not fit, which is noted."""
        column, node = field.column, item.value
        element = None if column is None else column.element
        if column is None or column.kind is not ColumnKind.LIST or element is None:
            self._note(item, f"{field.name} is collected; declare the field as a list of a class")
            return None
        inside = self._inside
        if inside is None:
            self._note(item, "a list in a list is made by GROUP BY, one deep")
            return None
        items = inner_items(item)
        out: Output | None
        if _is_single(items, element):
            value = self._block.many(lambda: self._block.expressions.value(items[0].value))
            taken = msgspec.structs.replace(element, nullable=True)  # nulls are left out
            one = msgspec.structs.replace(field, column=taken)
            out = None if value is None else inside._value(value, one, item)
        else:
            out = inside.element(items, element.type, item)
        self.whole = self.whole and inside.whole and out is not None
        if out is None:
            return None
        distinct = isinstance(node, Collect) and node.distinct
        of_groups = inside.takes_lists and (
            self._block.groups
            or inside.aggregates
            or nested_lists([item], {field.name: field}, self._block)
        )
        missing = [] if of_groups else inside._missing(items)
        return Many(out, distinct, _places(out), inside._present(missing))

    def _value(self, value: Value, field: Field, where: Item | Expr) -> Output | None:
        column = field.column
        if column is None:
            self._note(where, f"the result's field {field.problem}")
            return None
        if not is_null(value) and not fits(value.column, column):
            if value.kind is ColumnKind.OBJECT and column.kind is ColumnKind.OBJECT:
                return self._other_object(value, field, where)
            self._note(where, misfit(field.name, value.column, column))
            return None
        nothing = None if column.nullable else zero(column)
        if value.column.nullable and not column.nullable and nothing is None:
            self._note(where, _nothing(field.name))
        return Cell(self._cells.add(value), value.column, nothing)

    def _other_object(self, value: Value, field: Field, where: Item | Expr) -> Output | None:
        """An object of a column as one of another class, field by field."""
        assert field.column is not None
        source = self._block.scope.sources[min(value.sources) - 1]
        known, parts = fields(field.column.type), list[Part]()
        for one in known.values():
            found = next((c for c in value.column.fields if c.path[-1] == one.name), None)
            if found is not None:
                out = self._value(source.value(found), one, where)
                if out is not None:
                    parts.append(Part(one.key, out))
            elif one.required:
                near = meant(one.name, (c.path[-1] for c in value.column.fields))
                self._note(where, f"{field.name} has no field {one.name}{near}")
        as_array = is_array(field.column.type)
        if not value.column.nullable:
            return Object(tuple(parts), as_array=as_array)
        if not field.column.nullable:
            self._note(where, _nothing(field.name))
        there = Value(f"({value.sql} IS NOT NULL)", value.column)
        return Object(tuple(parts), (self._cells.add(there),), as_array)

    # ---- rows that a join leaves out ------------------------------------------------------------
    def _missing(self, items: Sequence[Item]) -> list[Source]:
        """The sources of items, where a join may leave all of them without a row."""
        numbers = {number for one in items for number in self._sources(one)}
        found = [one for one in self._block.scope.sources if one.number in numbers]
        return found if all(one.nullable for one in found) else []

    def _sources(self, item: Item) -> frozenset[int]:
        node = item.value
        if isinstance(node, Star):
            return frozenset(one.number for one in self._block.scope.table(node))
        if isinstance(node, Group | Collect):
            return frozenset(number for one in node.items for number in self._sources(one))
        value = self._block.many(lambda: self._block.expressions.value(node))
        return frozenset() if value is None else value.sources

    def _present(self, sources: Sequence[Source]) -> tuple[int, ...]:
        return tuple(self._cells.add(_there(one)) for one in sources)

    def _note(self, where: Item | Expr, text: str) -> None:
        self._findings.add(where, text)
        self.whole = False


def inner_items(item: Item) -> tuple[Item, ...]:
    """The items of a list or an object."""
    node = item.value
    if isinstance(node, Group | Collect):
        return node.items
    return (Item(span=item.span, value=node),)


def _row(source: Source) -> Value:
    column = Column((), ColumnKind.JSON, source.nullable, object)
    return Value(source.row, column, sources=frozenset({source.number}))


def _there(source: Source) -> Value:
    keys = " OR ".join(f"{key.sql} IS NOT NULL" for key in source.keys)
    column = Column((), ColumnKind.BOOL, False, bool)
    return Value(f"({keys})", column, sources=frozenset({source.number}))


def _places(out: Output) -> tuple[int, ...]:
    match out:
        case Cell(place=place) | Whole(place=place):
            return (place,)
        case Object(parts=parts):
            return tuple(place for one in parts for place in _places(one.out))
        case Many():
            return ()


def _is_single(items: Sequence[Item], element: Column) -> bool:
    """Whether the elements of a list are plain values."""
    one = items[0].value
    return (
        len(items) == 1
        and element.kind is not ColumnKind.OBJECT
        and not isinstance(one, Star | Group | Collect)
    )


def _nothing(name: str) -> str:
    return f"{name} may be null, which its type has no value for; declare the field as ... | None"
