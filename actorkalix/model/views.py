"""Views: tables kept from changes, asked by SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload

from actorkalix.model.component import Component
from actorkalix.model.effects import RowEffects

_ROWS = RowEffects()


class View(Component):
    """Tables kept from changes of other components, and queries over them (VW-01).

    `@table` says whose changes make the rows of a table, `@sql` marks the queries. Rows follow the
    changes a moment later; `client.view(Carts, after=token)` waits for a change. Every change
    counts once, in order for each entity, so a handler may count and sum (VW-22). It sees the row,
    the change and `self.context`, and has no client; a new object of the class runs it each time,
    so nothing stays in `self` (VW-15).

    When a handler raises, the entity waits with its order kept and is tried again after 3 s to 30 s
    without end; others go on. When handlers, rows or sources are changed in code, the tables are
    built anew beside the old ones, which answer until then. What a handler calls outside of its
    class is not looked at: raise `version` when that has changed.

    Class options: `id`, and `version` (1), a number that builds the tables anew when it changes; or
    `abstract=True` for a base of your own.
    """

    _asked_by: ClassVar[str] = "client.view({})"

    if TYPE_CHECKING:

        @overload
        def __init_subclass__(cls, *, id: str, version: int = 1) -> None: ...
        @overload
        def __init_subclass__(cls, *, abstract: Literal[True]) -> None: ...
        def __init_subclass__(cls, **options: Any) -> None: ...

    @property
    def effects(self) -> RowEffects:
        """What a table handler may decide.

        Raises:
            RuntimeError: no handler runs.
        """
        return self._during("effects", _ROWS)
