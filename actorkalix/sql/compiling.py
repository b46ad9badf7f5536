"""From a query's text to a query that is ready to run."""

from __future__ import annotations

from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from actorkalix.sql.blocks import Block, Context
from actorkalix.sql.calls import AGGREGATES, PAGING
from actorkalix.sql.deriving import bound_number, derive
from actorkalix.sql.mapping import Cells, Mapping, inner_items, is_list, name_of_item
from actorkalix.sql.output import Output, Whole
from actorkalix.sql.paging import Key
from actorkalix.sql.parsing import parse, walk
from actorkalix.sql.problems import Findings
from actorkalix.sql.query import Amount, Query, Rows, Wrapper
from actorkalix.sql.results import Declared, declared, fields
from actorkalix.sql.shapes import Column, ColumnKind, ShapeProblem, TableShape, column_of
from actorkalix.sql.syntax import (
    Call,
    Collect,
    Constant,
    Expr,
    Group,
    Item,
    Param,
    Select,
    Span,
)


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
    try:
        return _compile(
            findings, parse(text, findings), tables, parameters, result, streams, stream_updates
        )
    except RecursionError:
        findings.add(Span(0, 1), "the query is nested too deep")
        findings.raise_if_any()
        raise


def _compile(
    findings: Findings,
    select: Select,
    tables: Mapped[str, TableShape],
    parameters: Mapped[str, Any],
    result: Any,
    streams: bool,
    stream_updates: bool,
) -> Query:
    begin = Span(select.span.start, select.span.start + len("SELECT"))
    context = Context(tables, _parameters(findings, begin, parameters), findings, derive)
    says = declared(result, streams or stream_updates)
    if isinstance(says, str):
        findings.add(begin, says)
        says = None
    block = Block(context, select)
    if says is not None and block.whole:
        compiler = _Compiler(context, block, says, streams or stream_updates)
        found = compiler.query(stream_updates)
        findings.raise_if_any()
        assert found is not None
        return found
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
        self._select = block.select
        self._says = says
        self._streams = streams
        self._fields = fields(says.type)
        self._cells = Cells()
        self._inner = Cells()
        self._page = ""

    def query(self, stream_updates: bool) -> Query | None:
        """The query, when all of it fits."""
        select, block = self._select, self._block
        items = [one for one in select.items if not _is_paging(one)]
        paging = [one for one in select.items if _is_paging(one)]
        lists = [one for one in items if is_list(one, self._fields, block)]
        others = [one for one in items if one not in lists]
        wraps = bool(lists) and self._wraps(lists, others)
        limit, offset = self._limits(wraps)
        if wraps:
            element, wrapper = None, self._wrapper(lists, others, paging)
        else:
            for one in paging:
                self._note(one, f"{_name(one)} stands beside a list of rows")
            element, wrapper = self._row(items, lists), None
        if self._findings:
            return None
        collected = bool(self._inner.values) or (bool(lists) and not wraps)
        rows = self._rows(collected)
        if wrapper is not None:
            wrapper = self._with_totals(wrapper)
        changes = self._changes(stream_updates, element, collected)
        block.note_indexes(ordered=rows.grouped is None and not self._is_aggregated())
        if self._findings:
            return None
        context = self._context
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
            whole=isinstance(element, Whole) and element.place == 0,
            limit=limit,
            offset=offset,
            page=self._page,
            mark=self._mark(rows),
            changes=changes,
        )

    # ---- what a result is -----------------------------------------------------------------------
    def _wraps(self, lists: Sequence[Item], others: Sequence[Item]) -> bool:
        """Whether lists hold all rows, not the rows of a group."""
        select = self._select
        if select.group_by:
            inner = [one for item in lists for one in inner_items(item)]
            return not any(not _is_echo(one) for one in others) and all(
                self._is_of_group(one) for one in inner
            )
        return all(_is_echo(one) or _has_aggregate(one) for one in others)

    def _is_of_group(self, item: Item) -> bool:
        if isinstance(item.value, Collect):
            return True
        if isinstance(item.value, Group):
            return all(self._is_of_group(one) for one in item.value.items)
        return self._block.is_grouped(item.value, note=False)

    def _row(self, items: Sequence[Item], lists: Sequence[Item]) -> Output | None:
        inside = Mapping(self._block, self._inner)
        mapping = Mapping(self._block, self._cells, inside)
        if not items:
            return None
        element = mapping.element(items, self._says.type, self._select.items[0])
        self._group([one for one in items if one not in lists], bool(lists))
        return element

    def _wrapper(
        self, lists: Sequence[Item], others: Sequence[Item], paging: Sequence[Item]
    ) -> Wrapper:
        inside = Mapping(self._block, self._cells, Mapping(self._block, self._inner))
        mapping = Mapping(self._block, Cells(), inside)
        keys: dict[str, Item] = {}
        for item in (*lists, *others, *paging):
            name = name_of_item(item)
            if not name:
                self._note(item, "what is selected has a name: ... AS name")
            elif name not in self._fields:
                self._note(item, f"the result has no field {name}")
            elif name in keys:
                self._note(item, f"two items are called {name}; give one another name with AS")
            keys.setdefault(name, item)
        for field in self._fields.values():
            if field.required and field.name not in keys:
                self._note(
                    self._select.items[0],
                    f"the result has a field {field.name}, nothing selects it",
                )
        made: list[tuple[str, Output]] = []
        for item in lists:
            field = self._fields.get(name_of_item(item))
            out = None if field is None else mapping.many(item, field)
            if field is not None and out is not None:
                made.append((field.key, out))
        inner = [one for item in lists for one in inner_items(item)]
        nested = bool(self._inner.values)
        self._group([one for one in inner if not self._is_nested(one, lists)], nested)
        if len(lists) == 1 and isinstance(lists[0].value, Collect) and lists[0].value.distinct:
            if not self._is_aggregated():
                self._block.group_all(self._cells.values)
        return self._about(Wrapper(tuple(made)), others, paging)

    def _is_nested(self, item: Item, lists: Sequence[Item]) -> bool:
        """Whether an item in a list is a list itself."""
        field = self._fields.get(name_of_item(lists[0]))
        element = field.column.element if field is not None and field.column is not None else None
        if element is None or element.kind is not ColumnKind.OBJECT:
            return False
        return is_list(item, fields(element.type), self._block)

    def _about(self, wrapper: Wrapper, others: Sequence[Item], paging: Sequence[Item]) -> Wrapper:
        """What a result says beside its lists."""
        arguments: list[tuple[str, str]] = []
        summaries: list[tuple[str, Output]] = []
        more: list[str] = []
        tokens: list[str] = []
        self._totals = Cells()
        mapping = Mapping(self._block, self._totals)
        for item in others:
            field = self._fields.get(name_of_item(item))
            if field is None:
                continue
            if isinstance(item.value, Param):
                arguments.append((field.key, item.value.name))
                self._context.parameters.get(item.value.name) or self._block.expressions.parameter(
                    item.value
                )
            elif (out := mapping._item(item, field)) is not None:
                summaries.append((field.key, out))
        for item in paging:
            field = self._fields.get(name_of_item(item))
            call = item.value
            assert isinstance(call, Call)
            if field is None:
                continue
            wanted = {"total_count": ColumnKind.INTEGER, "has_more": ColumnKind.BOOL}.get(
                call.name, ColumnKind.TEXT
            )
            if call.arguments or call.star:
                self._note(item, f"{call.name}() takes nothing")
            if field.column is None or field.column.kind is not wanted:
                self._note(item, f"{call.name}() is {wanted.value}; the field {field.name} is not")
            elif call.name == "total_count":
                count = Call(span=call.span, name="count", arguments=(), star=True)
                out = mapping._item(Item(span=item.span, value=count, alias=field.name), field)
                if out is not None:
                    summaries.append((field.key, out))
            elif call.name == "has_more":
                more.append(field.key)
            else:
                tokens.append(field.key)
                if not self._page:
                    self._note(item, "next_page_token() needs OFFSET page_token_offset(:parameter)")
        return Wrapper(
            wrapper.lists, tuple(summaries), tuple(arguments), tuple(more), tuple(tokens)
        )

    # ---- groups ---------------------------------------------------------------------------------
    def _is_aggregated(self) -> bool:
        select = self._select
        return bool(self._block.groups or select.having) or any(
            one.aggregate for one in self._cells.values
        )

    def _group(self, items: Sequence[Item], collects: bool) -> None:
        """Group by what is selected where nothing else is said; or see that it is of the group."""
        select, block = self._select, self._block
        if select.distinct:
            if select.group_by or collects:
                self._note(select.items[0], "DISTINCT and groups say the same; take one of them")
            block.group_all([one for one in self._cells.values if not one.aggregate])
        elif collects and not select.group_by:
            block.group_all([one for one in self._cells.values if not one.aggregate])
        elif self._is_aggregated():
            for item in items:
                self._check_grouped(item.value)
        if self._is_aggregated() and not collects:
            for one in block.order:
                block.is_grouped(one.node)

    def _check_grouped(self, node: Expr) -> None:
        if isinstance(node, Collect):
            return
        if isinstance(node, Group):
            for one in node.items:
                self._check_grouped(one.value)
            return
        self._block.is_grouped(node)

    # ---- limits ---------------------------------------------------------------------------------
    def _limits(self, wraps: bool) -> tuple[Amount | None, Amount | None]:
        select = self._select
        limit = self._amount(select.limit, "LIMIT")
        offset: Amount | None = None
        node = select.offset
        if isinstance(node, Call) and node.name == "page_token_offset":
            self._read_page(node, wraps)
        else:
            offset = self._amount(node, "OFFSET")
        return limit, offset

    def _read_page(self, node: Call, wraps: bool) -> None:
        argument = node.arguments[0] if len(node.arguments) == 1 else None
        if not isinstance(argument, Param):
            self._note(node, "page_token_offset takes a parameter: page_token_offset(:page)")
            return
        parameter = self._block.expressions.parameter(argument)
        if parameter is not None and parameter.kind is not ColumnKind.TEXT:
            self._note(
                argument, f"a page token is a text; declare the parameter {argument.name} as str"
            )
        if self._streams:
            self._note(node, "a stream has no pages; it goes on by itself")
        elif not wraps:
            self._note(
                node, "pages are of a list of rows: SELECT * AS items, next_page_token() AS ..."
            )
        self._page = argument.name

    def _amount(self, node: Expr | None, word: str) -> Amount | None:
        if node is None:
            return None
        if (
            isinstance(node, Constant)
            and isinstance(node.value, int)
            and not isinstance(node.value, bool)
        ):
            if 0 <= node.value < 2**63:
                return Amount(node.value)
        place = bound_number(self._context, node, word)
        return None if place is None else Amount(0, place[1:])

    # ---- statements -----------------------------------------------------------------------------
    def _rows(self, collected: bool) -> Rows:
        block = self._block
        tail = " LIMIT :limit" + (
            " OFFSET :offset" if self._select.offset is not None and not self._page else ""
        )
        if collected:
            return self._collected(tail)
        if self._is_aggregated():
            keys = block.group_keys() if block.groups else ()
            head, joint = self._grouped_head(self._cells.sql, keys)
        else:
            keys = block.row_keys()
            cells = ", ".join((*self._cells.sql, *(key.sql for key in self._told(keys))))
            head = f"SELECT {cells or 1}{block.core()}"
            joint = " AND " if block.where else " WHERE "
        return Rows(head, joint, _ordered(keys) + tail, self._told(keys))

    def _told(self, keys: tuple[Key, ...]) -> tuple[Key, ...]:
        """Keys that are selected: where a page may begin behind them."""
        return keys if self._page or self._streams else ()

    def _grouped_head(self, cells: Sequence[str], keys: Sequence[Key]) -> tuple[str, str]:
        block = self._block
        told = (*cells, *(key.sql for key in self._told(tuple(keys))))
        head = f"SELECT {', '.join(told) or 1}{block.core()}{block.grouping()}"
        return head, " AND " if block.having else " HAVING "

    def _collected(self, tail: str) -> Rows:
        """Groups, and beside each all of its rows: groups are found first, by LIMIT and page."""
        block = self._block
        keys = block.group_keys()
        places = {one.sql: place for place, one in enumerate(block.groups)}
        cells = [f'{one} AS "g{place}"' for place, one in enumerate(self._cells.sql)]
        cells += [f'{one.sql} AS "k{place}"' for place, one in enumerate(block.groups)]
        cells += [f'{key.sql} AS "o{place}"' for place, key in enumerate(keys)]
        head = f'WITH "$groups" AS MATERIALIZED (SELECT {", ".join(cells)}'
        head += f"{block.core()}{block.grouping()}"
        joint = " AND " if block.having else " HAVING "
        inner_keys = [key for key in block.row_keys() if key.sql not in {one.sql for one in keys}]
        inner = [f'{one.sql} AS "k{place}"' for place, one in enumerate(block.groups)]
        inner += [f'{one} AS "c{place}"' for place, one in enumerate(self._inner.sql)]
        inner += [f'{key.sql} AS "r{place}"' for place, key in enumerate(inner_keys)]
        on = " AND ".join(
            f'"$groups"."k{place}" IS "$rows"."k{place}"' for place in places.values()
        )
        told = [f'"$groups"."g{place}"' for place in range(len(self._cells.values))]
        told += [f'"$rows"."c{place}"' for place in range(len(self._inner.values))]
        told += [f'"$groups"."o{place}"' for place in range(len(keys))]
        order = [_renamed(key, f'"$groups"."o{place}"') for place, key in enumerate(keys)]
        order += [_renamed(key, f'"$rows"."r{place}"') for place, key in enumerate(inner_keys)]
        tail = (
            f'{_ordered(keys)}{tail}) SELECT {", ".join(told)} FROM "$groups" '
            f'JOIN (SELECT {", ".join(inner)}{block.core()}) AS "$rows" ON {on or 1}{_ordered(order)}'
        )
        return Rows(head, joint, tail, keys, len(self._cells.values))

    def _with_totals(self, wrapper: Wrapper) -> Wrapper:
        if not wrapper.summaries:
            return wrapper
        block = self._block
        cells = ", ".join(self._totals.sql)
        totals = f"SELECT {cells}{block.core()}"
        if block.groups:
            if set(self._totals.sql) != {"count(*)"}:
                self._note(
                    self._select.items[0],
                    "beside groups there is count(*) or total_count() of them, no other aggregate",
                )
            totals = f"SELECT count(*) FROM (SELECT 1{block.core()}{block.grouping()})"
        return Wrapper(
            wrapper.lists,
            wrapper.summaries,
            wrapper.arguments,
            wrapper.has_more,
            wrapper.next_page,
            totals,
        )

    def _changes(self, wanted: bool, element: Output | None, collected: bool) -> str:
        if not wanted:
            return ""
        block, select = self._block, self._select
        sources = block.scope.sources
        first = select.items[0]
        if len(sources) > 1 or sources[0].shape is None:
            self._note(first, "changes are streamed of one table; leave joins and sub-queries away")
        elif collected or self._is_aggregated() or element is None:
            self._note(first, "changes are streamed row by row; leave groups and lists away")
        elif select.limit is not None or select.offset is not None:
            self._note(
                select.limit or select.offset or first,
                "a stream of changes has no LIMIT and no OFFSET",
            )
        name = sources[0].name
        matches = f"coalesce({block.where} <> 0, 0)" if block.where else "1"
        cells = ", ".join(self._cells.sql)
        return (
            f'SELECT {name}."$subject", {name}."$seq", {matches}, {cells} FROM {block.source} '
            f'WHERE {name}."$seq" > :after AND {name}."$seq" <= :upto '
            f'ORDER BY {name}."$seq", {name}."$subject" LIMIT :limit'
        )

    def _mark(self, rows: Rows) -> bytes:
        text = f"{rows.head}\0{rows.joint}\0{rows.tail}"
        return blake2b(text.encode(), digest_size=6).digest()

    def _note(self, where: Item | Expr, text: str) -> None:
        self._findings.add(where, text)


def _ordered(keys: Sequence[Key]) -> str:
    return f" ORDER BY {', '.join(key.order for key in keys)}" if keys else ""


def _renamed(key: Key, sql: str) -> Key:
    return Key(sql, key.kind, key.nullable, key.descending)


def _is_paging(item: Item) -> bool:
    return isinstance(item.value, Call) and item.value.name in PAGING


def _is_echo(item: Item) -> bool:
    return isinstance(item.value, Param)


def _name(item: Item) -> str:
    return item.value.name + "()" if isinstance(item.value, Call) else name_of_item(item)


def _has_aggregate(item: Item) -> bool:
    return any(isinstance(one, Call) and one.name in AGGREGATES for one in walk(item))
