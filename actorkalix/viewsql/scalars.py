"""Values of a query as SQL: columns, literals, parameters, arithmetic, functions, aggregates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from actorkalix.viewsql.binding import Bindings, converter
from actorkalix.viewsql.kinds import (
    NUMBERS,
    TEXTS,
    cast,
    column_for,
    comparable,
    kind_named,
    literal,
    natural,
    shown,
    unknown_type,
)
from actorkalix.viewsql.problems import Findings, meant
from actorkalix.viewsql.scope import Scope, Value, computed
from actorkalix.viewsql.shapes import Column, ColumnKind
from actorkalix.viewsql.syntax import (
    Binary,
    Call,
    Cast,
    Collect,
    Constant,
    Expr,
    Group,
    Negative,
    Param,
    Path,
    Star,
)

_DECIMAL_FUNCTIONS = {
    "+": "ak_decimal_add",
    "-": "ak_decimal_subtract",
    "*": "ak_decimal_multiply",
    "/": "ak_decimal_divide",
}


class Scalars(ABC):
    """Makes SQL of values in one scope; what is wrong is noted, its value is None.

    Args:
        scope: what names mean.
        findings: of the query.
        bindings: values that it hands over.
        parameters: types of its arguments, as columns.
    """

    def __init__(
        self,
        scope: Scope,
        findings: Findings,
        bindings: Bindings,
        parameters: Mapping[str, Column],
    ) -> None:
        self.scope = scope
        self.findings = findings
        self.bindings = bindings
        self.parameters = parameters

    def value(self, node: Expr) -> Value | None:
        """A value whose kind nothing else decides."""
        match node:
            case Path():
                return self.scope.value(node)
            case Constant(value=None):
                return self._null()
            case Constant(value=given):
                return self._constant(node, column_for(natural(given), False))
            case Param():
                parameter = self.parameter(node)
                return None if parameter is None else self._argument(node, parameter, parameter)
            case Cast():
                return self._cast(node)
            case Negative():
                return self._negative(node)
            case Binary():
                return self._binary(node)
            case Call():
                return self.call(node)
            case Star() | Group() | Collect():
                text = {Star: "*", Group: "a list of items", Collect: "collect"}[type(node)]
                self.findings.add(node, f"{text} stands in SELECT alone, as an item of its own")
                return None
            case _:
                return self.truth(node)

    @abstractmethod
    def call(self, node: Call) -> Value | None:
        """The result of a function."""

    @abstractmethod
    def truth(self, node: Expr) -> Value | None:
        """A condition as a value."""

    def value_as(self, node: Expr, column: Column) -> Value | None:
        """A value beside another: literals and parameters become what that one is."""
        if isinstance(node, Constant):
            return self._null() if node.value is None else self._constant(node, column)
        if not isinstance(node, Param):
            return self.value(node)
        parameter = self.parameter(node)
        if parameter is None:
            return None
        if not comparable(parameter, column):
            return self._argument(node, parameter, parameter)  # whoever asked says what is wrong
        return self._argument(node, parameter, column)

    def pair(self, left: Expr, right: Expr) -> tuple[Value, Value] | None:
        """Two values of one kind, so that SQLite compares them as they are; or None, and why."""
        if is_loose(left) and not is_loose(right):
            other = self.pair(right, left)
            return None if other is None else (other[1], other[0])
        first = self.value(left)
        second = self.value_as(right, first.column) if first is not None else self.value(right)
        if first is None or second is None:
            return None
        if is_null(first) or is_null(second):
            return first, second
        if not comparable(first.column, second.column):
            self.findings.add(right, _mismatch(first.column, second.column, right))
            return None
        if ColumnKind.DECIMAL in (first.kind, second.kind):
            return self.as_decimal(first), self.as_decimal(second)
        return first, second

    def parameter(self, node: Param) -> Column | None:
        """The type of a parameter; None when there is no such one, which is noted."""
        found = self.parameters.get(node.name)
        if found is None:
            near = meant(node.name, self.parameters) or "; the method has no parameters"
            self.findings.add(node, f"the method has no parameter {node.name}{near}")
        return found

    def as_decimal(self, value: Value) -> Value:
        """A number as a decimal, exactly."""
        if value.kind is ColumnKind.DECIMAL or is_null(value):
            return value
        return computed(
            f"ak_decimal({value.sql})", ColumnKind.DECIMAL, value.column.nullable, value
        )

    def as_float(self, value: Value) -> Value:
        """A number as a float."""
        if value.kind is ColumnKind.FLOAT or is_null(value):
            return value
        wrap = "ak_float({})" if value.kind is ColumnKind.DECIMAL else "CAST({} AS REAL)"
        nullable = value.column.nullable
        return computed(wrap.format(value.sql), ColumnKind.FLOAT, nullable, value)

    # ---- literals and parameters ----------------------------------------------------------------
    def _null(self) -> Value:
        return Value("NULL", column_for(ColumnKind.JSON, True))

    def _constant(self, node: Constant, column: Column) -> Value | None:
        assert node.value is not None
        try:
            made = literal(node.value, column)
        except (ValueError, ArithmeticError) as problem:
            self.findings.add(node, str(problem))
            return None
        kind = column.kind
        if kind in NUMBERS and kind is not ColumnKind.DECIMAL:
            kind = ColumnKind.FLOAT if isinstance(made, float) else ColumnKind.INTEGER
        return computed(self.bindings.constant(made), kind, False)

    def _argument(self, node: Param, parameter: Column, column: Column) -> Value:
        target = column if column.kind is ColumnKind.DECIMAL else parameter
        convert = converter(parameter, target)
        sql = self.bindings.argument(node.name, target.kind.value, convert)
        found = computed(sql, target.kind, parameter.nullable, like=parameter)
        if target.kind is not parameter.kind:
            found = computed(sql, target.kind, parameter.nullable)
        return Value(found.sql, found.column, node.name)

    def _cast(self, node: Cast) -> Value | None:
        kind = kind_named(node.type)
        if kind is None:
            self.findings.add(node.at, unknown_type(node.type))
            return None
        if isinstance(node.value, Constant):
            if node.value.value is None:
                return self._null()
            try:
                made = cast(node.value.value, kind)
            except (ValueError, ArithmeticError) as problem:
                self.findings.add(node.value, str(problem))
                return None
            return computed(self.bindings.constant(made), kind, False)
        value = self.value(node.value)
        if value is None or value.kind is kind:
            return value
        nullable = value.column.nullable
        if value.kind in NUMBERS and kind is ColumnKind.DECIMAL:
            return self.as_decimal(value)
        if value.kind in NUMBERS and kind is ColumnKind.FLOAT:
            return self.as_float(value)
        if value.kind in NUMBERS and kind is ColumnKind.INTEGER:
            whole = value.kind is ColumnKind.DECIMAL
            sql = f"ak_truncated({value.sql})" if whole else f"CAST({value.sql} AS INTEGER)"
            return computed(sql, kind, nullable, value)
        if kind is ColumnKind.TEXT and value.kind in (*TEXTS, ColumnKind.UUID):
            return computed(value.sql, kind, nullable, value)
        if kind is ColumnKind.TEXT and value.kind is ColumnKind.INTEGER:
            return computed(f"CAST({value.sql} AS TEXT)", kind, nullable, value)
        if kind is ColumnKind.TEXT and value.kind is ColumnKind.DECIMAL:
            return computed(f"ak_shown({value.sql})", kind, nullable, value)
        self.findings.add(node, f"{shown(value.column)} cannot be made {node.type}")
        return None

    # ---- arithmetic -----------------------------------------------------------------------------
    def number(self, node: Expr, value: Value | None) -> Value | None:
        """A value that has to be a number."""
        if value is None or value.kind in NUMBERS or is_null(value):
            return value
        self.findings.add(node, f"a number is wanted, this is {shown(value.column)}")
        return None

    def text(self, node: Expr) -> Value | None:
        """A value that has to be a text."""
        value = self.value_as(node, column_for(ColumnKind.TEXT, False))
        if value is None or value.kind in TEXTS or is_null(value):
            return value
        self.findings.add(node, f"a text is wanted, this is {shown(value.column)}")
        return None

    def _negative(self, node: Negative) -> Value | None:
        value = self.number(node.value, self.value(node.value))
        if value is None:
            return None
        if value.kind is ColumnKind.DECIMAL:
            zero = Value(self.bindings.constant(literal(0, value.column)), value.column)
            return self._decimals("-", zero, value)
        return computed(f"(- {value.sql})", value.kind, value.column.nullable, value)

    def _binary(self, node: Binary) -> Value | None:
        if node.operator == "||":
            left, right = self.text(node.left), self.text(node.right)
            if left is None or right is None:
                return None
            return self._joined("||", left, right, ColumnKind.TEXT)
        if is_loose(node.left) and not is_loose(node.right):
            right = self.value(node.right)
            left = None if right is None else self.value_as(node.left, right.column)
        else:
            left = self.value(node.left)
            right = None if left is None else self.value_as(node.right, left.column)
        left, right = self.number(node.left, left), self.number(node.right, right)
        if left is None or right is None:
            return None
        return self._arithmetic(node, left, right)

    def _arithmetic(self, node: Binary, left: Value, right: Value) -> Value | None:
        kinds = {left.kind, right.kind}
        if node.operator == "%":
            if kinds != {ColumnKind.INTEGER}:
                self.findings.add(node.at, "% is for whole numbers")
                return None
            return self._joined("%", left, right, ColumnKind.INTEGER, nullable=True)
        divides = node.operator == "/"
        if ColumnKind.FLOAT in kinds:
            left, right = self.as_float(left), self.as_float(right)
            return self._joined(node.operator, left, right, ColumnKind.FLOAT, divides)
        if ColumnKind.DECIMAL in kinds:
            return self._decimals(node.operator, self.as_decimal(left), self.as_decimal(right))
        kind = ColumnKind.JSON if is_null(left) and is_null(right) else ColumnKind.INTEGER
        return self._joined(node.operator, left, right, kind, divides)

    def _decimals(self, operator: str, left: Value, right: Value) -> Value:
        sql = f"{_DECIMAL_FUNCTIONS[operator]}({left.sql}, {right.sql})"
        nullable = left.column.nullable or right.column.nullable or operator == "/"
        return computed(sql, ColumnKind.DECIMAL, nullable, left, right)

    def _joined(
        self, operator: str, left: Value, right: Value, kind: ColumnKind, nullable: bool = False
    ) -> Value:
        nullable = nullable or left.column.nullable or right.column.nullable
        return computed(f"({left.sql} {operator} {right.sql})", kind, nullable, left, right)


def is_loose(node: Expr) -> bool:
    """Whether what stands beside it decides its kind."""
    return isinstance(node, Constant | Param)


def is_null(value: Value) -> bool:
    """Whether a value is the literal NULL, which is of any kind."""
    return value.sql == "NULL"


def _mismatch(left: Column, right: Column, node: Any) -> str:
    text = f"{shown(left)} and {shown(right)} do not compare"
    if isinstance(node, Param) and left.kind not in (ColumnKind.LIST, ColumnKind.OBJECT):
        wanted = {
            ColumnKind.TIMESTAMP: "datetime",
            ColumnKind.UUID: "UUID",
            ColumnKind.DECIMAL: "Decimal",
            ColumnKind.TEXT: "str",
            ColumnKind.INTEGER: "int",
            ColumnKind.FLOAT: "float",
            ColumnKind.BOOL: "bool",
            ColumnKind.BYTES: "bytes",
        }.get(left.kind)
        if wanted is not None:
            return f"{text}; declare the parameter {node.name} as {wanted}"
    if ColumnKind.LIST in (left.kind, right.kind):
        return f"{text}; a list is asked with = ANY(...)"
    return text


def is_number(value: Any) -> bool:
    """Whether a literal is a number."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
