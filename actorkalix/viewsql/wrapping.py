"""A result that holds rows in lists, and says something about all of them (VW-46 to VW-50)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actorkalix.viewsql.blocks import Block
from actorkalix.viewsql.calls import PAGING
from actorkalix.viewsql.mapping import Cells, Mapping, name_of_item
from actorkalix.viewsql.output import Many, Output
from actorkalix.viewsql.problems import meant
from actorkalix.viewsql.query import Wrapper
from actorkalix.viewsql.results import Field, fields, is_array
from actorkalix.viewsql.shapes import ColumnKind
from actorkalix.viewsql.syntax import Call, Expr, Item, Param

_KINDS = {"total_count": ColumnKind.INTEGER, "has_more": ColumnKind.BOOL}


class Wrapping:
    """Maps the items of a query onto a result with lists of rows.

    Args:
        block: whose items they are.
        tp: class of the result.
        cells: of the rows or groups in its lists.
        inner: of rows in groups, which lists in these are made of.
        paged: there is a page token.
    """

    def __init__(self, block: Block, tp: Any, cells: Cells, inner: Cells, *, paged: bool) -> None:
        self._block = block
        self._findings = block.context.findings
        self._type = tp
        self._known = fields(tp)
        self._paged = paged
        self._totals = Cells()
        inside = Mapping(block, cells, Mapping(block, inner))
        self._lists = Mapping(block, Cells(), inside)
        self._summaries = Mapping(block, self._totals)

    @property
    def totals(self) -> Cells:
        """What is asked about all that is found."""
        return self._totals

    def read(
        self, lists: Sequence[Item], others: Sequence[Item], paging: Sequence[Item]
    ) -> Wrapper:
        """The wrapper, without the statement of its totals."""
        self._check_names([*lists, *others, *paging])
        if is_array(self._type):
            self._note(lists[0], "a result with lists of rows has names in JSON; use a dataclass")
        made: list[tuple[str, Many]] = []
        for item, field in self._fielded(lists):
            many = self._lists.many(item, field)
            if many is not None:
                made.append((field.key, many))
        summaries: list[tuple[str, Output]] = []
        arguments: list[tuple[str, str]] = []
        for item, field in self._fielded(others):
            if isinstance(item.value, Param):
                Mapping(self._block, Cells()).item(item, field)  # says whether it fits
                arguments.append((field.key, item.value.name))
            elif (out := self._summaries.item(item, field)) is not None:
                summaries.append((field.key, out))
        more: list[str] = []
        tokens: list[str] = []
        for item, field in self._fielded(paging):
            call = item.value
            assert isinstance(call, Call)
            self._check_paging(item, call, field)
            if call.name == "total_count":
                count = Call(span=call.span, name="count", arguments=(), star=True)
                out = self._summaries.item(
                    Item(span=item.span, value=count, alias=field.name), field
                )
                if out is not None:
                    summaries.append((field.key, out))
            else:
                (more if call.name == "has_more" else tokens).append(field.key)
        return Wrapper(tuple(made), tuple(summaries), tuple(arguments), tuple(more), tuple(tokens))

    def _fielded(self, items: Sequence[Item]) -> list[tuple[Item, Field]]:
        named = [(item, self._known.get(name_of_item(item))) for item in items]
        return [(item, field) for item, field in named if field is not None]

    def _check_names(self, items: Sequence[Item]) -> None:
        found: set[str] = set()
        for item in items:
            name = name_of_item(item)
            if not name:
                self._note(item, "what is selected has a name: ... AS name")
            elif name not in self._known:
                self._note(item, f"the result has no field {name}{meant(name, self._known)}")
            elif name in found:
                self._note(item, f"two items are called {name}; give one another name with AS")
            found.add(name)
        self._lists.check_missing(self._known, found, items[0])

    def _check_paging(self, item: Item, call: Call, field: Field) -> None:
        if call.arguments or call.star:
            self._note(item, f"{call.name}() takes nothing")
        wanted = _KINDS.get(call.name, ColumnKind.TEXT)
        if field.column is None or field.column.kind is not wanted:
            self._note(item, f"{call.name}() is {wanted.value}, the field {field.name} is not")
        if call.name == "next_page_token" and not self._paged:
            self._note(item, "next_page_token() needs OFFSET page_token_offset(:parameter)")

    def _note(self, where: Item | Expr, text: str) -> None:
        self._findings.add(where, text)


def is_paging(item: Item) -> bool:
    """Whether an item says something about the page."""
    return isinstance(item.value, Call) and item.value.name in PAGING
