"""From a query's text to a query that is ready to run."""

from __future__ import annotations

from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from actorkalix.limits import VIEW_SQL_NESTED_MAX
from actorkalix.viewsql.blocks import Block, Context
from actorkalix.viewsql.calls import AGGREGATES
from actorkalix.viewsql.deriving import bound_number, derive
from actorkalix.viewsql.mapping import (
    Cells,
    Mapping,
    inner_items,
    is_list,
    name_of_item,
    nested_lists,
)
from actorkalix.viewsql.output import Output, Whole
from actorkalix.viewsql.parsing import parse
from actorkalix.viewsql.problems import Findings
from actorkalix.viewsql.query import Amount, Query, Rows, Wrapper
from actorkalix.viewsql.results import Declared, declared, element_of, fields
from actorkalix.viewsql.shapes import Column, ColumnKind, ShapeProblem, TableShape, column_of
from actorkalix.viewsql.statements import Statements
from actorkalix.viewsql.syntax import (
    Call,
    Collect,
    Constant,
    Expr,
    Group,
    Item,
    Param,
    Select,
    Span,
    walk,
)
from actorkalix.viewsql.wrapping import Wrapping, is_paging


def compile_query(
    text: str,
    *,
    tables: Mapped[str, TableShape],
    parameters: Mapped[str, Any],
    result: Any,
    streams: bool = False,
    stream_updates: bool = False,
) -> Query:
    """Compile a query.

    Args:
        text: of the query.
        tables: of the view, by name.
        parameters: types of the method's parameters, by name.
        result: what the method declares; of a stream, the iterator or its element.
        streams: objects come one by one.
        stream_updates: changes come behind them.

    Raises:
        Problem: it cannot be used; says everything that is wrong with it.
    """
    findings = Findings(text)
    streams = streams or stream_updates
    try:
        select = parse(text, findings)
        begin = Span(select.span.start, select.span.start + len("SELECT"))
        context = Context(tables, _parameters(findings, begin, parameters), findings, derive)
        element = None if streams else element_of(result)
        says = declared(result if element is None else element, streams or element is not None)
        pages = isinstance(select.offset, Call) or streams or element is not None
        context.leads = not pages
        block = Block(context, select)
        if isinstance(says, str):
            findings.add(begin, says)
        elif block.whole:
            one_by_one = streams or element is not None
            found = _Compiler(context, block, says, one_by_one).query(stream_updates)
            if found is not None and element is not None:
                many: Any = list
                rows = many[found.result]
                return msgspec.structs.replace(found, streams=False, many=True, result=rows)
            if found is not None:
                return found
    except RecursionError:
        findings.add(Span(0, 1), "the query is nested too deep")
    findings.raise_if_any()
    raise AssertionError("a query that cannot be used has a problem")


def _parameters(findings: Findings, begin: Span, types: Mapped[str, Any]) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for name, tp in types.items():
        try:
            found[name] = column_of(name, tp)
        except ShapeProblem as problem:
            findings.add(begin, f"the parameter {problem}")
    return found


class _Compiler:
    """Puts one query together.

    A result is one row, a group, or a wrapper with lists of rows or groups; groups have lists
    themselves where rows in them are collected.
    """

    def __init__(self, context: Context, block: Block, says: Declared, streams: bool) -> None:
        self._context = context
        self._findings = context.findings
        self._block = block
        self._select: Select = block.select
        self._says = says
        self._streams = streams
        self._fields = fields(says.type)
        self._cells = Cells()
        self._inner = Cells()
        self._page = ""

    def query(self, stream_updates: bool) -> Query | None:
        """The query, when all of it fits; else what does not is noted."""
        block = self._block
        paging = [one for one in self._select.items if is_paging(one)]
        items = [one for one in self._select.items if not is_paging(one)]
        lists = [one for one in items if is_list(one, self._fields, block)]
        others = [one for one in items if one not in lists]
        wraps = bool(lists) and self._wraps(lists, others)
        limit, offset = self._limits(wraps)
        element: Output | None = None
        wrapping: Wrapping | None = None
        wrapper: Wrapper | None = None
        if wraps:
            wrapping = Wrapping(
                block, self._says.type, self._cells, self._inner, paged=bool(self._page)
            )
            wrapper = wrapping.read(lists, others, paging)
            self._group_lists(lists)
        else:
            for one in paging:
                self._note(one, f"{name_of_item(one)} is said beside a list of rows")
            mapping = Mapping(block, self._cells, Mapping(block, self._inner))
            element = mapping.element(items, self._says.type, self._select.items[0])
            self._group(others, collects=bool(lists))
            if isinstance(element, Whole) and element.nullable:
                text = "a join may leave this row out; give it a name that may be None, or use JOIN"
                self._note(items[0], text)
        if self._findings:
            return None
        statements = Statements(
            block,
            self._cells,
            self._inner,
            tells=self._streams or bool(self._page),
            skips=offset is not None,
        )
        rows = self._rows(
            statements, collects=bool(self._inner.values) or (bool(lists) and not wraps)
        )
        if wrapper is not None and wrapping is not None and wrapper.summaries:
            if block.groups and set(wrapping.totals.sql) != {"count(*)"}:
                self._note(lists[0], "beside a list of groups their number is told, no aggregate")
            totals = statements.totals(wrapping.totals)
            wrapper = msgspec.structs.replace(wrapper, totals=totals)
        changes = self._changes(statements, rows) if stream_updates else ""
        if _nested(rows.sql()[0]) > VIEW_SQL_NESTED_MAX:
            self._note(self._select.items[0], "values in this query are nested too deep for SQLite")
        block.note_indexes(ordered=rows.grouped is None and not self._is_aggregated())
        return (
            None if self._findings else self._made(rows, element, wrapper, limit, offset, changes)
        )

    def _made(
        self,
        rows: Rows,
        element: Output | None,
        wrapper: Wrapper | None,
        limit: Amount | None,
        offset: Amount | None,
        changes: str,
    ) -> Query:
        context = self._context
        text = f"{rows.head}\0{rows.joint}\0{rows.tail}"
        return Query(
            text=self._findings.text,
            tables=frozenset(context.used),
            indexes=tuple(sorted(context.indexes)),
            searches=tuple(sorted(context.searches)),
            bindings=context.bindings.all(),
            result=self._says.type,
            optional=self._says.optional,
            streams=self._streams,
            rows=rows,
            element=element,
            wrapper=wrapper,
            whole=isinstance(element, Whole),
            limit=limit,
            offset=offset,
            page=self._page,
            mark=blake2b(text.encode(), digest_size=6).digest(),
            changes=changes,
        )

    # ---- what a result is -----------------------------------------------------------------------
    def _wraps(self, lists: Sequence[Item], others: Sequence[Item]) -> bool:
        """Whether lists hold all rows, not the rows of a group."""
        if self._select.group_by:
            nested = nested_lists(lists, self._fields, self._block)
            inner = [one for item in lists for one in inner_items(item) if one not in nested]
            return all(isinstance(one.value, Param) for one in others) and all(
                self._is_of_group(one) for one in inner
            )
        return all(isinstance(one.value, Param) or _has_aggregate(one) for one in others)

    def _is_of_group(self, item: Item) -> bool:
        node = item.value
        if isinstance(node, Group):
            return all(self._is_of_group(one) for one in node.items)
        return isinstance(node, Collect) or self._block.is_grouped(node, note=False)

    def _is_aggregated(self) -> bool:
        """Whether a row is made of many."""
        return bool(self._block.groups or self._select.having) or any(
            one.aggregate for one in self._cells.values
        )

    def _group_lists(self, lists: Sequence[Item]) -> None:
        """Groups that are rows of lists."""
        nested = nested_lists(lists, self._fields, self._block)
        inner = [one for item in lists for one in inner_items(item)]
        self._group([one for one in inner if one not in nested], collects=bool(nested))
        only = lists[0].value
        if len(lists) == 1 and isinstance(only, Collect) and only.distinct:
            self._block.group_all([one for one in self._cells.values if not one.aggregate])

    def _group(self, items: Sequence[Item], collects: bool) -> None:
        """Group by what is selected where nothing else is said; or see that it is of the group."""
        select, block = self._select, self._block
        if select.distinct and (select.group_by or collects):
            self._note(select.items[0], "DISTINCT and groups say the same; take one of them")
        elif select.distinct or (collects and not select.group_by):
            block.group_all([one for one in self._cells.values if not one.aggregate])
        elif self._is_aggregated():
            for item in items:
                self._check_grouped(item.value)
        if self._is_aggregated() and not collects:
            for one in block.order:
                block.is_grouped(one.node)

    def _check_grouped(self, node: Expr) -> None:
        if isinstance(node, Group | Collect):
            for one in node.items:
                self._check_grouped(one.value)
        else:
            self._block.is_grouped(node)

    # ---- limits ---------------------------------------------------------------------------------
    def _limits(self, wraps: bool) -> tuple[Amount | None, Amount | None]:
        limit, offset = self._amount(self._select.limit, "LIMIT"), self._select.offset
        if isinstance(offset, Call) and offset.name == "page_token_offset":
            self._read_page(offset, wraps)
            return limit, None
        return limit, self._amount(offset, "OFFSET")

    def _read_page(self, node: Call, wraps: bool) -> None:
        argument = node.arguments[0] if len(node.arguments) == 1 else None
        if not isinstance(argument, Param):
            self._note(node, "page_token_offset takes a parameter: page_token_offset(:page)")
            return
        parameter = self._block.expressions.parameter(argument)
        if parameter is not None and parameter.kind is not ColumnKind.TEXT:
            text = f"a page token is a text; declare the parameter {argument.name} as str"
            self._note(argument, text)
        if self._streams:
            self._note(node, "a stream, or a plain list, has no pages: it is all of the rows")
        elif not wraps:
            self._note(node, "pages are of a list of rows: SELECT * AS items ...")
        self._page = argument.name

    def _amount(self, node: Expr | None, word: str) -> Amount | None:
        match node:
            case None:
                return None
            case Constant(value=int() as number) if not isinstance(number, bool):
                if 0 <= number < 2**63:
                    return Amount(number)
            case _:
                pass
        place = bound_number(self._context, node, word)
        return None if place is None else Amount(0, place[1:])

    # ---- statements -----------------------------------------------------------------------------
    def _rows(self, statements: Statements, collects: bool) -> Rows:
        if collects:
            return statements.collected()
        return statements.groups() if self._is_aggregated() else statements.rows()

    def _changes(self, statements: Statements, rows: Rows) -> str:
        select, sources = self._select, self._block.scope.sources
        first = select.items[0]
        if len(sources) > 1 or sources[0].shape is None:
            self._note(first, "changes are of one table; leave joins and sub-queries away")
        if rows.grouped is not None or self._is_aggregated():
            self._note(first, "changes come row by row; leave groups and lists away")
        if select.limit is not None or select.offset is not None:
            where = select.limit or select.offset or first
            self._note(where, "changes have no end; leave LIMIT and OFFSET away")
        return statements.changes()

    def _note(self, where: Item | Expr, text: str) -> None:
        self._findings.add(where, text)


def _nested(sql: str) -> int:
    """How deep parentheses stand in one another."""
    depth = deepest = 0
    for character in sql:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest


def _has_aggregate(item: Item) -> bool:
    return any(isinstance(one, Call) and one.name in AGGREGATES for one in walk(item))
