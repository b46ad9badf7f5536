"""Views: tables, queries, and the fingerprint of what makes the rows; every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actorkalix.describe.descriptors import HandlerDescriptor, ViewDescriptor
from actorkalix.describe.handlers import Scope
from actorkalix.describe.queries import describe_queries
from actorkalix.describe.tables import check_not_queries, describe_tables


def describe_view(
    scope: Scope, options: Mapping[str, Any], handlers: Mapping[str, HandlerDescriptor]
) -> ViewDescriptor | None:
    """What a view adds to its component; what is wrong goes to `scope.problems`.

    Args:
        scope: of the class.
        options: of the class.
        handlers: its methods with `@sql`.

    Returns:
        None when something is wrong.
    """
    before = len(scope.problems)
    check_not_queries(scope)
    tables = describe_tables(scope)
    sound = len(scope.problems) == before
    # With a table missing every query that names it would say so, and hide what is to be mended.
    queries = describe_queries(scope, tables, handlers, complete=sound)
    if scope.problems:
        return None
    from actorkalix.describe.fingerprints import fingerprint_of  # `dis` is slow to load

    return ViewDescriptor(
        tables, queries, fingerprint_of(scope.cls, tables, options.get("version", 1))
    )
