"""Numbers that a query makes and that are beyond what their type holds.

SQLite refuses a sum, and the amount of a number, beyond 64 bits; all other arithmetic with whole
numbers goes on with a float then, which is no answer to who asked for a whole number. Floats end in
infinity, which JSON does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from actorkalix.errors import NumberTooLarge
from actorkalix.viewsql.parsing import parse
from actorkalix.viewsql.problems import Findings
from actorkalix.viewsql.shapes import ColumnKind
from actorkalix.viewsql.syntax import Call, walk

_REFUSED = "integer overflow"  # SQLite's own words, without a code of their own
_MAKES = ("sum", "abs")
_INFINITE = (float("inf"), float("-inf"))


def is_overflow(error: Exception) -> bool:
    """Whether this is SQLite's word for a sum that is beyond 64 bits."""
    return str(error) == _REFUSED


def overflow_in(text: str) -> NumberTooLarge:
    """The error of a sum beyond 64 bits.

    Args:
        text: of the query, as it was written.
    """
    return NumberTooLarge(f"{' or '.join(_made(text)) or 'a sum'} is beyond 64 bits")


def _made(text: str) -> list[str]:
    """The sums of a query, in its own words, each once."""
    select = parse(text, Findings(text))
    found = [
        text[node.span.start : node.span.end]
        for node in walk(select)
        if isinstance(node, Call) and node.name in _MAKES
    ]
    return list(dict.fromkeys(found))


def number(kind: ColumnKind, place: int, zero: Any) -> Callable[[Sequence[Any]], Any]:
    """A function from a row to a number in it, which fits its type.

    Args:
        kind: INTEGER or FLOAT.
        place: in the row.
        zero: what a null becomes.
    """
    is_wrong: Callable[[Any], bool] = (
        (lambda value: isinstance(value, float))
        if kind is ColumnKind.INTEGER
        else (lambda value: value in _INFINITE)
    )

    def made(row: Sequence[Any]) -> Any:
        value = row[place]
        if value is None:
            return zero
        if is_wrong(value):
            bits = "64 bits" if kind is ColumnKind.INTEGER else "what a float holds"
            raise NumberTooLarge(f"a number that the query computes, {value:g}, is beyond {bits}")
        return value

    return made
