"""Entities: event sourced, value, replicated."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Literal, Never, TypeVar, overload

from actorkalix.model.client import Calls
from actorkalix.model.component import Component
from actorkalix.model.effects import EventSourcedEffects, ReplicatedEffects, ValueEffects

if TYPE_CHECKING:
    from typing import Self

    from actorkalix.crdt import Crdt
    from actorkalix.model.hosting import Dedicated

S = TypeVar("S")
E = TypeVar("E")
D = TypeVar("D", bound="Crdt")

_CALLS = Calls()
_EVENT_SOURCED: EventSourcedEffects[Any, Any] = EventSourcedEffects()
_VALUE: ValueEffects[Any] = ValueEffects()
_REPLICATED: ReplicatedEffects[Any] = ReplicatedEffects()


class Entity(Component):
    """What all entities have. Subclass one of its kinds."""

    @property
    def entity_id(self) -> str:
        """The id of this instance.

        Raises:
            RuntimeError: no handler runs.
        """
        entity_id: str = self._seen("entity_id")
        return entity_id

    @property
    def client(self) -> Calls:
        """Builds calls to forward or to hand on as side effects; entities cannot await (ES-27).

        Raises:
            RuntimeError: no handler runs.
        """
        return self._during("client", _CALLS)


class EventSourcedEntity(Entity, Generic[S, E]):
    """An entity whose state is a fold of its events.

    Class options: `id`, the stable name under which its events are stored, 1 to 64 bytes;
    `snapshot_every`, events between two snapshots, 0 for never; `hosting`, where instances run: in
    their host, or `Dedicated(...)` in processes of their own; or `abstract=True` for a base of your
    own.
    """

    if TYPE_CHECKING:

        @overload
        def __init_subclass__(
            cls,
            *,
            id: str,
            snapshot_every: int = 100,
            hosting: Literal["sharded"] | Dedicated = "sharded",
        ) -> None: ...
        @overload
        def __init_subclass__(cls, *, abstract: Literal[True]) -> None: ...
        def __init_subclass__(cls, **options: Any) -> None: ...

        @classmethod
        def _types(cls) -> tuple[Self, S, E]: ...

    @property
    def state(self) -> S:
        """The state that the handler works on. Replace it by effects, never in place.

        Raises:
            RuntimeError: no handler runs.
        """
        state: S = self._seen("state")
        return state

    @property
    def effects(self) -> EventSourcedEffects[S, E]:
        """What a command may decide.

        Raises:
            RuntimeError: no handler runs.
        """
        return self._during("effects", _EVENT_SOURCED)

    @abstractmethod
    def empty_state(self) -> S:
        """The state before the first event; only `self.entity_id` exists here."""
        ...

    @abstractmethod
    def apply_event(self, state: S, event: E) -> S:
        """The state after an event: a new object, made from these two alone.

        Runs live and again at every recovery (ES-15).
        """
        ...


class ValueEntity(Entity, Generic[S]):
    """An entity whose state is stored as a whole.

    Class options: `id`, the stable name under which its states are stored, 1 to 64 bytes;
    `hosting`, as event sourced entities have it; or `abstract=True` for a base of your own.
    """

    if TYPE_CHECKING:

        @overload
        def __init_subclass__(
            cls, *, id: str, hosting: Literal["sharded"] | Dedicated = "sharded"
        ) -> None: ...
        @overload
        def __init_subclass__(cls, *, abstract: Literal[True]) -> None: ...
        def __init_subclass__(cls, **options: Any) -> None: ...

        @classmethod
        def _types(cls) -> tuple[Self, S, Never]: ...

    @property
    def state(self) -> S:
        """The state that the handler works on. Replace it by effects, never in place.

        Raises:
            RuntimeError: no handler runs.
        """
        state: S = self._seen("state")
        return state

    @property
    def effects(self) -> ValueEffects[S]:
        """What a command may decide.

        Raises:
            RuntimeError: no handler runs.
        """
        return self._during("effects", _VALUE)

    @abstractmethod
    def empty_state(self) -> S:
        """The state of an id that nobody has written; only `self.entity_id` exists here."""
        ...


class ReplicatedEntity(Entity, Generic[D]):
    """An entity whose state is a data type of `actorkalix.crdt`. Runs in a later version.

    Class options: `id`; `write_consistency`, how many replicas know of a change before its
    reply; or `abstract=True`.
    """

    if TYPE_CHECKING:

        @overload
        def __init_subclass__(
            cls, *, id: str, write_consistency: Literal["local", "majority", "all"] = "local"
        ) -> None: ...
        @overload
        def __init_subclass__(cls, *, abstract: Literal[True]) -> None: ...
        def __init_subclass__(cls, **options: Any) -> None: ...

        @classmethod
        def _types(cls) -> tuple[Self, D, Never]: ...

    @property
    def state(self) -> D:
        """The data as this replica sees it.

        Raises:
            RuntimeError: no handler runs.
        """
        state: D = self._seen("state")
        return state

    @property
    def effects(self) -> ReplicatedEffects[D]:
        """What a command may decide.

        Raises:
            RuntimeError: no handler runs.
        """
        return self._during("effects", _REPLICATED)
