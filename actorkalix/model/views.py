"""Views: tables kept from changes, asked by SQL. They run in a later version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload

from actorkalix.model.component import Component
from actorkalix.model.effects import RowEffects

_ROWS = RowEffects()


class View(Component):
    """Tables kept from changes of other components, and queries over them; in a later version.

    Class options: `id`; or `abstract=True` for a base of your own.
    """

    _asked_by: ClassVar[str] = "client.view({})"

    if TYPE_CHECKING:

        @overload
        def __init_subclass__(cls, *, id: str) -> None: ...
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
