"""Patterns of LIKE and words of a text search, as SQLite takes them.

SQLite's LIKE does not know case, its GLOB does, so LIKE becomes GLOB. What a pattern begins with is
a range of texts too: SQLite makes one itself only for columns that are declared as text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actorkalix.viewsql.shapes import ColumnKind
from actorkalix.viewsql.values import to_sqlite
from actorkalix.viewsql.words import match_of

_GLOB = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
_ABOVE_TEXTS = b""
"""SQLite puts every blob behind every text."""


def pattern(value: Any) -> str | None:
    """A pattern of LIKE as one of GLOB: `%` is `*`, `_` is `?`."""
    if value is None:
        return None
    text: str = to_sqlite(ColumnKind.TEXT, value)
    return "".join(_GLOB.get(one, one) for one in text)


def folded_pattern(value: Any) -> str | None:
    """The same for ILIKE, whose other side is in lower case."""
    return None if value is None else pattern(to_sqlite(ColumnKind.TEXT, value).lower())


def least(value: Any) -> str | None:
    """The least text that a pattern of LIKE fits: what stands before its first sign."""
    if value is None:
        return None
    text: str = to_sqlite(ColumnKind.TEXT, value)
    return text.split("%", 1)[0].split("_", 1)[0]


def beyond(value: Any) -> str | bytes | None:
    """The least text above all that a pattern of LIKE fits, in the order of code points."""
    begin = least(value)
    if begin is None:
        return None
    while begin:
        last = ord(begin[-1]) + 1
        if last == 0xD800:
            last = 0xE000  # between these no text has any
        if last <= 0x10FFFF:
            return begin[:-1] + chr(last)
        begin = begin[:-1]
    return _ABOVE_TEXTS


def searched(language: str) -> Callable[[Any], Any]:
    """From a text to the query of FTS5 for its words."""
    return lambda value: None if value is None else match_of(value, language)
