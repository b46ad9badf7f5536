"""Conditions of a query as SQL: comparisons, lists, patterns, text search, and their logic.

SQLite's own logic of nulls is that of VW-33, so `NOT`, `AND` and `OR` need nothing; only what is
looked up elsewhere (lists, text search) has to say that it is null itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from actorkalix.viewsql.binding import Bindings, list_converter
from actorkalix.viewsql.calls import Calls
from actorkalix.viewsql.kinds import TEXTS, comparable, shown
from actorkalix.viewsql.patterns import beyond, folded_pattern, least, pattern, searched
from actorkalix.viewsql.problems import Findings, meant
from actorkalix.viewsql.scalars import is_null
from actorkalix.viewsql.scope import Scope, Value, computed
from actorkalix.viewsql.shapes import Column, ColumnKind, TableShape
from actorkalix.viewsql.storage import quoted, search_table
from actorkalix.viewsql.syntax import (
    AnyOf,
    Call,
    Compare,
    Constant,
    Expr,
    In,
    IsNull,
    Like,
    Logic,
    Not,
    Param,
    Path,
)
from actorkalix.viewsql.words import LANGUAGES, TextSearch

BOOL = ColumnKind.BOOL
LEADING = "s1"
"""The name of a leading search's table in SQL."""
_ROW_NUMBERS = ("rowid", "_rowid_", "oid")


class Conditions(Calls):
    """Makes SQL of values and conditions.

    Attributes:
        searches: text searches that were asked for.
    """

    def __init__(
        self,
        scope: Scope,
        findings: Findings,
        bindings: Bindings,
        parameters: Mapping[str, Column],
    ) -> None:
        super().__init__(scope, findings, bindings, parameters)
        self.searches: dict[TextSearch, None] = {}
        self.leading: TextSearch | None = None
        """The search whose table leads the join, so that rows come as it finds them."""
        self._may_lead = False
        self._in_where = False
        self._plainly = False

    def where(self, node: Expr, may_lead: bool) -> Value | None:
        """The condition of WHERE: one that is null is as one that is false.

        Args:
            node: the condition.
            may_lead: a text search that all rows have to pass may become `leading`.
        """
        self._in_where = self._plainly = True
        self._may_lead = may_lead
        try:
            return self.condition(node)
        finally:
            self._in_where = self._plainly = self._may_lead = False

    def condition(self, node: Expr) -> Value | None:
        """A condition; None when it is none, which is noted."""
        value = self.value(node)
        if value is not None and value.kind is BOOL and value.leaf is not None:
            return self._is(value, 1)
        if value is None or value.kind is BOOL or is_null(value):
            return value
        self.findings.add(node, f"a condition is wanted, this is {shown(value.column)}")
        return None

    def _is(self, value: Value, wanted: int) -> Value:
        """A column of yes and no as a condition, in words by which SQLite finds it in an index."""
        return computed(f"({value.sql} = {wanted})", BOOL, value.column.nullable, value)

    def truth(self, node: Expr) -> Value | None:
        """A condition as a value."""
        plainly, may_lead = self._plainly, self._may_lead
        if isinstance(node, Logic):
            self._may_lead = may_lead and node.operator == "AND"
        elif not isinstance(node, Call):
            self._plainly = self._may_lead = False
        try:
            return self._logic(node) if isinstance(node, Logic) else self._test(node)
        finally:
            self._plainly, self._may_lead = plainly, may_lead

    def _test(self, node: Expr) -> Value | None:
        match node:
            case Not():
                plain = self.value(node.value) if isinstance(node.value, Path) else None
                if plain is not None and plain.kind is BOOL and plain.leaf is not None:
                    return self._is(plain, 0)
                value = self.condition(node.value)
                if value is None:
                    return None
                return computed(f"(NOT {value.sql})", BOOL, value.column.nullable, value)
            case Compare():
                return self._compare(node)
            case IsNull():
                return self._is_null(node)
            case In():
                return self._in(node)
            case AnyOf():
                return self._any_of(node)
            case Like():
                return self._like(node)
            case Call():
                return self._text_search(node)
            case _:
                raise AssertionError(node)

    def _logic(self, node: Logic) -> Value | None:
        values = [self.condition(one) for one in node.values]
        good = [one for one in values if one is not None]
        if len(good) != len(values):
            return None
        nullable = any(one.column.nullable for one in good)
        sql = f" {node.operator} ".join(one.sql for one in good)
        return computed(f"({sql})", BOOL, nullable, *good)

    def _compare(self, node: Compare) -> Value | None:
        pair = self.pair(node.left, node.right)
        if pair is None:
            return None
        left, right = pair
        if ColumnKind.JSON in (left.kind, right.kind) and not is_null(left) and not is_null(right):
            return None
        nullable = left.column.nullable or right.column.nullable
        return computed(f"({left.sql} {node.operator} {right.sql})", BOOL, nullable, left, right)

    def _is_null(self, node: IsNull) -> Value | None:
        value = self.value(node.value)
        return None if value is None else computed(f"({value.sql} IS NULL)", BOOL, False, value)

    def _in(self, node: In) -> Value | None:
        pairs = [self.pair(node.value, one) for one in node.items]
        good = [one for one in pairs if one is not None]
        if len(good) != len(pairs):
            return None
        nullable = any(left.column.nullable or right.column.nullable for left, right in good)
        parts = [part for pair in good for part in pair]
        if len({left.sql for left, _ in good}) == 1:
            items = ", ".join(right.sql for _, right in good)
            return computed(f"({good[0][0].sql} IN ({items}))", BOOL, nullable, *parts)
        # Of mixed kinds of numbers, each compares in a way of its own.
        sql = " OR ".join(f"{left.sql} = {right.sql}" for left, right in good)
        return computed(f"({sql})", BOOL, nullable, *parts)

    # ---- lists ----------------------------------------------------------------------------------
    def _any_of(self, node: AnyOf) -> Value | None:
        if isinstance(node.array, Param):
            return self._any_argument(node, node.array)
        array = self.value(node.array)
        if array is None:
            return None
        element = array.column.element
        if array.kind is not ColumnKind.LIST or element is None:
            self.findings.add(node.array, f"ANY is of a list, this is {shown(array.column)}")
            return None
        value = self.value_as(node.value, element)
        if value is None:
            return None
        if not is_null(value):
            if not comparable(value.column, element) or element.kind is ColumnKind.BYTES:
                text = f"{shown(value.column)} and the {element.kind.value} in it do not compare"
                self.findings.add(node.value, text)
                return None
            if element.kind is ColumnKind.DECIMAL:
                value = self.as_decimal(value)
            elif value.kind is ColumnKind.DECIMAL:
                self.findings.add(node.value, f"the list holds {element.kind.value}; cast to it")
                return None
        return self._member(value, array)

    def _any_argument(self, node: AnyOf, array: Param) -> Value | None:
        parameter = self.parameter(array)
        value = self.value(node.value)
        if parameter is None or value is None:
            return None
        element = parameter.element
        if parameter.kind is not ColumnKind.LIST or element is None:
            text = f"ANY is of a list; declare the parameter {array.name} as list[...]"
            self.findings.add(array, text)
            return None
        if not is_null(value) and not comparable(value.column, element):
            text = f"{shown(value.column)} and the {element.kind.value} in it do not compare"
            self.findings.add(array, text)
            return None
        if element.kind is ColumnKind.DECIMAL:
            value = self.as_decimal(value)
        convert = list_converter(parameter, value.column)
        how = f"list of {value.kind.value}"
        sql = self.bindings.argument(array.name, how, convert)
        made = computed(sql, ColumnKind.LIST, parameter.nullable, like=parameter)
        return self._member(value, made)

    def _member(self, value: Value, array: Value) -> Value:
        sql = f"{value.sql} IN (SELECT value FROM json_each({array.sql}))"
        if array.column.nullable:
            sql = f"CASE WHEN {array.sql} IS NULL THEN NULL ELSE {sql} END"
        nullable = value.column.nullable or array.column.nullable
        return computed(f"({sql})", BOOL, nullable, value, array)

    # ---- texts ----------------------------------------------------------------------------------
    def _like(self, node: Like) -> Value | None:
        value = self.text(node.value)
        if value is None:
            return None
        convert = folded_pattern if node.folded else pattern
        wanted = node.pattern
        if isinstance(wanted, Constant) and (wanted.value is None or isinstance(wanted.value, str)):
            sql = "NULL" if wanted.value is None else self.bindings.constant(convert(wanted.value))
            nullable = wanted.value is None
        elif isinstance(wanted, Param):
            parameter = self.parameter(wanted)
            if parameter is None:
                return None
            if parameter.kind not in TEXTS:
                text = f"a pattern is a text; declare the parameter {wanted.name} as str"
                self.findings.add(wanted, text)
                return None
            how = "pattern of lower case" if node.folded else "pattern"
            sql, nullable = self.bindings.argument(wanted.name, how, convert), parameter.nullable
        else:
            self.findings.add(wanted, "a pattern is a text in quotes or a parameter")
            return None
        left = f"ak_lower({value.sql})" if node.folded else value.sql
        found = f"{left} GLOB {sql}"
        if value.leaf is not None and not node.folded:
            found += self._beginning(value, wanted)
        nullable = nullable or value.column.nullable
        return computed(f"({found})", BOOL, nullable, value)

    def _beginning(self, value: Value, wanted: Constant | Param) -> str:
        """What a pattern begins with as a range, so that an index finds it; or nothing."""
        if isinstance(wanted, Param):
            low = self.bindings.argument(wanted.name, "least like it", least)
            high = self.bindings.argument(wanted.name, "beyond all like it", beyond)
        elif isinstance(wanted.value, str) and least(wanted.value):
            low = self.bindings.constant(least(wanted.value))
            high = self.bindings.constant(beyond(wanted.value))
        else:
            return ""
        return f" AND {value.sql} >= {low} AND {value.sql} < {high}"

    def _text_search(self, node: Call) -> Value | None:
        if not self._in_where:
            self.findings.add(node, "text_search stands in WHERE alone")
            return None
        if not self._counted(node, 2, 3):
            return None
        language = self._language(node)
        value = self._searched(node.arguments[0])
        query = self._query_of_words(node.arguments[1], language or "simple")
        if value is None or query is None or language is None:
            return None
        assert value.leaf is not None
        source = self.scope.sources[value.leaf.source - 1]
        assert source.shape is not None
        search = TextSearch(source.shape.name, value.leaf.name, language)
        self.searches[search] = None
        table = quoted(search_table(search))
        if self._may_lead and self.leading is None:
            self.leading = search
            return computed(f'("{LEADING}".{table} MATCH {query})', BOOL, True, value)
        number = row_number(source.shape)
        sql = f"{source.name}.{number} IN (SELECT rowid FROM {table} WHERE {table} MATCH {query})"
        if not self._plainly:  # a search that stands alone is what SQLite begins with
            sql = f"CASE WHEN {value.sql} IS NULL OR {query} IS NULL THEN NULL ELSE {sql} END"
        return computed(f"({sql})", BOOL, True, value)

    def _language(self, node: Call) -> str | None:
        if len(node.arguments) < 3:
            return "simple"
        wanted = node.arguments[2]
        if isinstance(wanted, Constant) and wanted.value in LANGUAGES:
            return str(wanted.value)
        named = wanted.value if isinstance(wanted, Constant) else None
        near = meant(named, LANGUAGES) if isinstance(named, str) else ""
        text = f"a language in quotes is wanted, one of {', '.join(LANGUAGES)}"
        self.findings.add(wanted, f"{text}{near}")
        return None

    def _searched(self, node: Expr) -> Value | None:
        value = self.value(node)
        if value is None:
            return None
        element = value.column.element
        texts = value.kind in TEXTS or (element is not None and element.kind in TEXTS)
        if not isinstance(node, Path) or value.leaf is None or not texts:
            text = "text_search looks into a column of texts, or of lists of texts, of a table"
            self.findings.add(node, text)
            return None
        return value

    def _query_of_words(self, node: Expr, language: str) -> str | None:
        convert = searched(language)
        if isinstance(node, Constant) and isinstance(node.value, str):
            return self.bindings.constant(convert(node.value))
        if isinstance(node, Param):
            parameter = self.parameter(node)
            if parameter is None:
                return None
            if parameter.kind in TEXTS:
                return self.bindings.argument(node.name, f"words of {language}", convert)
        self.findings.add(node, "text_search looks for a text in quotes or a parameter of texts")
        return None


def row_number(shape: TableShape) -> str:
    """The name of SQLite's number of a row, which a column may hide."""
    taken = {one.name.lower() for one in shape.leaves()}
    return next(one for one in _ROW_NUMBERS if one not in taken)
