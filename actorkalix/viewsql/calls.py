"""Functions of the query language: of one row, and aggregates of many."""

from __future__ import annotations

from collections.abc import Sequence

from actorkalix.viewsql.functions import TRUNCATIONS
from actorkalix.viewsql.kinds import COMPOSED, NUMBERS, comparable, shown
from actorkalix.viewsql.problems import meant
from actorkalix.viewsql.scalars import Scalars, is_loose, is_null
from actorkalix.viewsql.scope import Value, computed
from actorkalix.viewsql.shapes import ColumnKind
from actorkalix.viewsql.syntax import Call, Constant, Expr

TEXT, INTEGER, FLOAT = ColumnKind.TEXT, ColumnKind.INTEGER, ColumnKind.FLOAT
AGGREGATES = ("count", "sum", "avg", "min", "max")
PAGING = ("total_count", "has_more", "next_page_token")
_OF_TEXTS = {
    "lower": ("ak_lower({})", 1, 1, TEXT),
    "upper": ("ak_upper({})", 1, 1, TEXT),
    "length": ("length({})", 1, 1, INTEGER),
    "trim": ("trim({})", 1, 1, TEXT),
    "ltrim": ("ltrim({})", 1, 1, TEXT),
    "rtrim": ("rtrim({})", 1, 1, TEXT),
    "replace": ("replace({}, {}, {})", 3, 3, TEXT),
}
_OTHERS = (
    "concat",
    "substring",
    "substr",
    "coalesce",
    "abs",
    "round",
    "date_trunc",
    "text_search",
    "collect",
)
NAMES = (*AGGREGATES, *PAGING, *_OF_TEXTS, *_OTHERS, "page_token_offset", "cast")


class Calls(Scalars):
    """Makes SQL of functions."""

    aggregates = False
    """Whether they may stand here: not in WHERE, nor in one another."""

    def call(self, node: Call) -> Value | None:
        """The result of a function; None when it cannot be called so, which is noted."""
        name = node.name
        if name in AGGREGATES:
            return self._aggregate(node)
        if node.star or node.distinct:
            what = "*" if node.star else "DISTINCT"
            self.findings.add(node, f"{what} stands in an aggregate alone: {', '.join(AGGREGATES)}")
            return None
        if name == "text_search":
            return self.truth(node)
        if name in PAGING:
            self.findings.add(node, f"{name}() stands in SELECT, as an item of its own")
            return None
        if name == "page_token_offset":
            self.findings.add(node, "page_token_offset(:parameter) stands behind OFFSET")
            return None
        if name in _OF_TEXTS:
            return self._of_texts(node)
        match name:
            case "concat":
                return self._concat(node)
            case "substring" | "substr":
                return self._substring(node)
            case "coalesce":
                return self._coalesce(node)
            case "abs" | "round":
                return self._of_number(node)
            case "date_trunc":
                return self._date_trunc(node)
            case _:
                self.findings.add(node, f"there is no function {name}{meant(name, NAMES)}")
                return None

    def _counted(self, node: Call, least: int, most: int) -> bool:
        if least <= len(node.arguments) <= most:
            return True
        wanted = f"{least}" if least == most else f"{least} to {most}"
        self.findings.add(node, f"{node.name} takes {wanted}, there are {len(node.arguments)}")
        return False

    def _texts(self, nodes: Sequence[Expr]) -> list[Value] | None:
        found = [self.text(one) for one in nodes]
        good = [one for one in found if one is not None]
        return good if len(good) == len(found) else None

    def _of_texts(self, node: Call) -> Value | None:
        template, least, most, kind = _OF_TEXTS[node.name]
        if not self._counted(node, least, most):
            return None
        values = self._texts(node.arguments)
        if values is None:
            return None
        nullable = any(one.column.nullable for one in values)
        sql = template.format(*(one.sql for one in values))
        return computed(sql, kind, nullable, *values, name=node.name)

    def _concat(self, node: Call) -> Value | None:
        """Passes over nulls, which `||` does not."""
        if not self._counted(node, 1, 100):
            return None
        values = self._texts(node.arguments)
        if values is None:
            return None
        parts = (f"coalesce({one.sql}, '')" if one.column.nullable else one.sql for one in values)
        return computed(f"({' || '.join(parts)})", TEXT, False, *values, name=node.name)

    def _substring(self, node: Call) -> Value | None:
        """Of characters, the first is 1; one that begins before it has the less of them."""
        if not self._counted(node, 2, 3):
            return None
        text = self.text(node.arguments[0])
        numbers = [self._whole(one) for one in node.arguments[1:]]
        if text is None or None in numbers:
            return None
        start, *count = (one for one in numbers if one is not None)
        nullable = any(one.column.nullable for one in (text, start, *count))
        if count:
            length = f"max(0, {count[0].sql} + min({start.sql} - 1, 0))"
            sql = f"substr({text.sql}, max({start.sql}, 1), {length})"
        else:
            sql = f"substr({text.sql}, max({start.sql}, 1))"
        return computed(sql, TEXT, nullable, text, start, *count, name=node.name)

    def _whole(self, node: Expr) -> Value | None:
        value = self.value(node)
        if value is not None and value.kind is not INTEGER and not is_null(value):
            self.findings.add(node, f"a whole number is wanted, this is {shown(value.column)}")
            return None
        return value

    def _coalesce(self, node: Call) -> Value | None:
        if not self._counted(node, 2, 100):
            return None
        kinded = next((one for one in node.arguments if not is_loose(one)), node.arguments[0])
        first = self.value(kinded)
        if first is None:
            return None
        values = [
            first if one is kinded else self.value_as(one, first.column) for one in node.arguments
        ]
        good = [one for one in values if one is not None]
        for one, value in zip(node.arguments, values, strict=True):
            if value is not None and not (is_null(value) or comparable(value.column, first.column)):
                text = f"{shown(first.column)} and {shown(value.column)} are not of one kind"
                self.findings.add(one, text)
                return None
        if len(good) != len(values):
            return None
        kinds = {one.kind for one in good if not is_null(one)}
        kind = first.kind
        if ColumnKind.DECIMAL in kinds:
            good, kind = [self.as_decimal(one) for one in good], ColumnKind.DECIMAL
        elif FLOAT in kinds:
            good, kind = [self.as_float(one) for one in good], FLOAT
        nullable = all(one.column.nullable for one in good)
        sql = f"coalesce({', '.join(one.sql for one in good)})"
        like = first.column if kind is first.kind else None
        return computed(sql, kind, nullable, *good, name=node.name, like=like)

    def _of_number(self, node: Call) -> Value | None:
        most = 1 if node.name == "abs" else 2
        if not self._counted(node, 1, most):
            return None
        value = self.number(node.arguments[0], self.value(node.arguments[0]))
        if value is None:
            return None
        nullable = value.column.nullable
        if node.name == "abs":
            name = "ak_decimal_abs" if value.kind is ColumnKind.DECIMAL else "abs"
            return computed(f"{name}({value.sql})", value.kind, nullable, value, name="abs")
        digits = self._whole(node.arguments[1]) if len(node.arguments) > 1 else None
        if digits is None and len(node.arguments) > 1:
            return None
        rounded = self.as_float(value)
        behind = "" if digits is None else f", {digits.sql}"
        return computed(f"round({rounded.sql}{behind})", FLOAT, nullable, value, name="round")

    def _date_trunc(self, node: Call) -> Value | None:
        if not self._counted(node, 2, 2):
            return None
        unit, at = node.arguments
        if not isinstance(unit, Constant) or unit.value not in TRUNCATIONS:
            units = ", ".join(f"'{one}'" for one in TRUNCATIONS)
            self.findings.add(unit, f"a unit is wanted, one of {units}")
            return None
        value = self.value(at)
        if value is None:
            return None
        if value.kind is not ColumnKind.TIMESTAMP:
            self.findings.add(at, f"a timestamp is wanted, this is {shown(value.column)}")
            return None
        sql = f"ak_date_trunc({self.bindings.constant(unit.value)}, {value.sql})"
        nullable = value.column.nullable
        return computed(sql, ColumnKind.TIMESTAMP, nullable, value, name=node.name)

    # ---- aggregates -----------------------------------------------------------------------------
    def _aggregate(self, node: Call) -> Value | None:
        if not self.aggregates:
            text = f"{node.name} is of many rows; it stands in SELECT, HAVING or ORDER BY"
            self.findings.add(node, text)
            return None
        if node.star:
            if node.name != "count":
                self.findings.add(node, f"{node.name} is of a value, * is for count")
                return None
            return computed("count(*)", INTEGER, False, name="count", aggregate=True)
        if not self._counted(node, 1, 1):
            return None
        self.aggregates = False
        try:
            value = self.value(node.arguments[0])
        finally:
            self.aggregates = True
        return None if value is None else self._of_many(node, value)

    def _of_many(self, node: Call, value: Value) -> Value | None:
        name, distinct = node.name, "DISTINCT " if node.distinct else ""
        if name == "count":
            sql = f"count({distinct}{value.sql})"
            return computed(sql, INTEGER, False, value, name=name, aggregate=True)
        wanted = NUMBERS if name in ("sum", "avg") else None
        if (wanted and value.kind not in wanted) or value.kind in COMPOSED:
            what = "a number" if wanted else "something that has an order"
            self.findings.add(node.arguments[0], f"{name} is of {what}, not {shown(value.column)}")
            return None
        kind = value.kind
        like = value.column if name in ("min", "max") else None
        if name in ("sum", "avg") and kind is ColumnKind.DECIMAL:
            name = f"ak_decimal_{name}"
        elif name == "avg":
            kind = FLOAT
        sql = f"{name}({distinct}{value.sql})"
        found = node.name
        return computed(sql, kind, True, value, name=found, aggregate=True, like=like)
