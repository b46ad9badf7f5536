"""Pages by the key of their last row: right while rows come and go, and after a restart.

An offset counts rows, so a row that comes before it moves all others. A token holds instead what
the last row of a page is ordered by, and the next page begins behind that, wherever it is by then.
The order of every query is total, for it ends in what tells rows apart. A row that moves is where
it is when its page is read.

    token = base64url(msgpack([mark of the query, value, value, ...]))

A token tells nothing that its reader has not seen but for the subject of the last row; it is not
signed, for whoever makes one up sees no row that the query would not show.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from typing import Any

import msgspec

from actorkalix.errors import InvalidPayload
from actorkalix.viewsql.shapes import ColumnKind

_ACCEPTED: dict[ColumnKind, type[Any] | tuple[type[Any], ...]] = {
    ColumnKind.INTEGER: (int, float),
    ColumnKind.BOOL: int,
    ColumnKind.TIMESTAMP: int,
    ColumnKind.FLOAT: (int, float),
    ColumnKind.BYTES: bytes,
}


class Key(msgspec.Struct, frozen=True):
    """One of the values that rows are ordered by.

    Attributes:
        sql: of it.
        kind: of it.
        nullable: whether it may be null; nulls are above all else (VW-40).
        descending: the greatest first.
    """

    sql: str
    kind: ColumnKind
    nullable: bool
    descending: bool = False

    @property
    def order(self) -> str:
        """In ORDER BY."""
        if not self.nullable:
            return f"{self.sql} DESC" if self.descending else self.sql
        return f"{self.sql} DESC NULLS FIRST" if self.descending else f"{self.sql} NULLS LAST"


def behind(keys: Sequence[Key], last: Sequence[Any], prefix: str = "k") -> tuple[str, ...]:
    """Conditions for rows behind another one: those of the first come before those of the second.

    There are two where nulls come last: SQLite finds a place in an index for each of them, and for
    neither when they are one.

    Args:
        keys: of the order.
        last: the other row's.
        prefix: of the names under which `last` is bound: `:k0`, `:k1`, ...
    """
    if len({key.descending for key in keys}) == 1 and not any(key.nullable for key in keys):
        names = ", ".join(f":{prefix}{position}" for position in range(len(keys)))
        sign = "<" if keys[0].descending else ">"
        return (f"({', '.join(key.sql for key in keys)}) {sign} ({names})",)
    found = _behind(keys, last, prefix, 0)
    first = keys[0]
    if last[0] is None:
        return (found,)
    # Says the same again, in words by which SQLite finds the place in an index.
    begin = f"({first.sql} {'<=' if first.descending else '>='} :{prefix}0 AND {found})"
    if first.nullable and not first.descending:
        return (begin, f"({first.sql} IS NULL)")
    return (begin,)


def _behind(keys: Sequence[Key], last: Sequence[Any], prefix: str, position: int) -> str:
    key, value, name = keys[position], last[position], f":{prefix}{position}"
    if value is None:
        beyond = f"{key.sql} IS NOT NULL" if key.descending else ""
        level = f"{key.sql} IS NULL"
    else:
        beyond = f"{key.sql} {'<' if key.descending else '>'} {name}"
        if key.nullable and not key.descending and position:
            beyond += f" OR {key.sql} IS NULL"
        level = f"{key.sql} = {name}"
    if position + 1 < len(keys):
        level = f"{level} AND {_behind(keys, last, prefix, position + 1)}"
        return f"({beyond} OR ({level}))" if beyond else f"({level})"
    return f"({beyond})" if beyond else "(0)"


def bound(last: Sequence[Any], prefix: str = "k") -> dict[str, Any]:
    """Values of `behind` by their names."""
    return {f"{prefix}{position}": value for position, value in enumerate(last)}


def token_of(mark: bytes, last: Sequence[Any]) -> str:
    """The token of the page behind a row.

    Args:
        mark: of the query.
        last: what the last row of this page is ordered by.
    """
    return urlsafe_b64encode(msgspec.msgpack.encode([mark, *last])).rstrip(b"=").decode()


def last_of(token: str, mark: bytes, keys: Sequence[Key], name: str) -> list[Any] | None:
    """What the last row of the page before was ordered by; None for the first page.

    Args:
        token: the argument; empty for the first page.
        mark: of the query.
        keys: of its order.
        name: of the parameter.

    Raises:
        InvalidPayload: it is no token of this query.
    """
    if not token:
        return None
    refused = InvalidPayload(f"{name}: this is no page token of this query; take one it returned")
    try:
        data = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        found = msgspec.msgpack.decode(data, type=list[Any])
    except (NotBase64, UnicodeEncodeError, UnicodeDecodeError, msgspec.DecodeError, ValueError):
        raise refused from None
    if len(found) != len(keys) + 1 or found[0] != mark:
        raise refused
    values = found[1:]
    if not all(_fits(key, value) for key, value in zip(keys, values, strict=True)):
        raise refused
    return values


def _fits(key: Key, value: Any) -> bool:
    if value is None:
        return key.nullable
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return False
    return isinstance(value, _ACCEPTED.get(key.kind, str)) and not isinstance(value, bool)
