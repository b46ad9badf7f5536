"""Orders, naively: nulls last ascending and first descending, then by what tells rows apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cmp_to_key
from typing import Any

from tests.property.view_sql.terms import Env, Term, exact

By = Sequence[tuple[Term, bool]]
"""Terms, each with whether it is descending."""


def ordered(environments: list[Env], by: By, names: Sequence[str]) -> list[Env]:
    """Environments as ORDER BY has them; ties by the subjects of these tables, in its direction."""
    down = by[-1][1] if by else False

    def compare(left: Env, right: Env) -> int:
        for term, descending in by:
            found = compare_values(term.eval(left), term.eval(right))
            if found:
                return -found if descending else found
        for name in names:
            found = compare_values(_subject(left[name]), _subject(right[name]))
            if found:
                return -found if down else found
        return 0

    return sorted(environments, key=cmp_to_key(compare))


def _subject(row: Any) -> Any:
    return None if row is None else row["$subject"]


def compare_values(left: Any, right: Any) -> int:
    """Nulls are above all else."""
    if left is None or right is None:
        return (left is None) - (right is None)
    a, b = exact(left), exact(right)
    return int(a > b) - int(a < b)
