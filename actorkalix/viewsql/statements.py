"""The statements of a query: rows, groups, groups with their rows, totals, changes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actorkalix.viewsql.blocks import Block
from actorkalix.viewsql.mapping import Cells
from actorkalix.viewsql.paging import Key
from actorkalix.viewsql.query import Rows


class Statements:
    """Puts SQL together for one block.

    Args:
        block: where the rows come from.
        cells: that are selected of rows, or of groups.
        inner: that are selected of the rows in groups.
        tells: the keys of the order are selected too, for a page begins behind them.
        skips: rows are skipped by a number.
    """

    def __init__(
        self, block: Block, cells: Cells, inner: Cells, *, tells: bool, skips: bool
    ) -> None:
        self._block = block
        self._cells = cells
        self._inner = inner
        self._tells = tells
        self._tail = " LIMIT :limit" + (" OFFSET :offset" if skips else "")

    def rows(self) -> Rows:
        """Rows of the sources, each by itself."""
        block = self._block
        keys = block.row_keys()
        told = keys if self._tells else ()
        head = f"SELECT {_selected(self._cells.sql, told)} FROM {block.source}"
        tail = _ordered(keys, apart=block.is_either() and not told) + self._tail
        return Rows(head, " WHERE ", tail, told, where=block.where)

    def groups(self) -> Rows:
        """Rows that are made of many."""
        block = self._block
        keys = block.group_keys()
        told = keys if self._tells else ()
        head = f"SELECT {_selected(self._cells.sql, told)}{block.core()}{block.grouping()}"
        joint = " AND " if block.having else " HAVING "
        return Rows(head, joint, _ordered(keys) + self._tail, told)

    def collected(self) -> Rows:
        """Groups, and beside each all of its rows: LIMIT and page are of groups."""
        block = self._block
        keys = block.group_keys()
        groups = [f'{one.sql} AS "k{place}"' for place, one in enumerate(block.groups)]
        head = 'WITH "$groups" AS MATERIALIZED (SELECT ' + ", ".join(
            (*_named(self._cells.sql, "g"), *groups, *_named([key.sql for key in keys], "o"))
        )
        head += f"{block.core()}{block.grouping()}"
        of_group = {key.sql for key in keys}
        inner = [key for key in block.row_keys() if key.sql not in of_group]
        rows = ", ".join(
            (*groups, *_named(self._inner.sql, "c"), *_named([key.sql for key in inner], "r"))
        )
        places = range(len(block.groups))
        on = " AND ".join(f'"$groups"."k{place}" IS "$rows"."k{place}"' for place in places)
        told = [f'"$groups"."g{place}"' for place in range(len(self._cells.values))]
        told += [f'"$rows"."c{place}"' for place in range(len(self._inner.values))]
        told += [f'"$groups"."o{place}"' for place in range(len(keys))]
        order = [*_renamed(keys, '"$groups"."o'), *_renamed(inner, '"$rows"."r')]
        tail = (
            f'{_ordered(keys)}{self._tail}) SELECT {", ".join(told)} FROM "$groups" '
            f'JOIN (SELECT {rows}{block.core()}) AS "$rows" ON {on}{_ordered(order)}'
        )
        joint = " AND " if block.having else " HAVING "
        return Rows(head, joint, tail, keys, len(self._cells.values))

    def totals(self, cells: Cells) -> str:
        """One row over all that is found; of groups their number."""
        block = self._block
        if block.groups:
            return f"SELECT count(*) FROM (SELECT 1{block.core()}{block.grouping()})"
        return f"SELECT {', '.join(cells.sql)}{block.core()}"

    def changes(self) -> str:
        """Rows of one table that have changed, and whether they match."""
        block = self._block
        name = block.scope.sources[0].name
        matches = f"coalesce({block.where} <> 0, 0)" if block.where else "1"
        return (
            f'SELECT {name}."$subject", {name}."$seq", {matches}, {", ".join(self._cells.sql)} '
            f'FROM {block.source} WHERE {name}."$seq" > :after AND {name}."$seq" <= :upto '
            f'ORDER BY {name}."$seq", {name}."$subject" LIMIT :limit'
        )


def _selected(cells: Sequence[str], keys: Sequence[Key]) -> str:
    return ", ".join((*cells, *(key.sql for key in keys))) or "1"


def _named(cells: Sequence[str], letter: str) -> list[str]:
    return [f'{one} AS "{letter}{place}"' for place, one in enumerate(cells)]


def _renamed(keys: Sequence[Key], name: str) -> list[Key]:
    return [msgspec.structs.replace(key, sql=f'{name}{place}"') for place, key in enumerate(keys)]


def _ordered(keys: Sequence[Key], apart: bool = False) -> str:
    plus = "+" if apart else ""  # to SQLite it is a value then, which no index has in order
    return f" ORDER BY {plus}{', '.join(key.order for key in keys)}" if keys else ""
