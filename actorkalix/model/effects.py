"""Effects: what a handler decided, as immutable data. The engine performs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Never, TypeVar, overload

import msgspec

from actorkalix.errors import Code, CommandError
from actorkalix.model.calls import Call, positive
from actorkalix.model.metadata import NO_METADATA, Metadata
from actorkalix.model.transitions import Next

if TYPE_CHECKING:
    from typing import Self

S = TypeVar("S")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
E_contra = TypeVar("E_contra", contravariant=True)


class Decision(msgspec.Struct, frozen=True):
    """What an effect says. Nothing of it has happened yet.

    Attributes:
        events: to append, in order.
        state: the new state, if `has_state`.
        has_state: the state is replaced.
        delete: the instance is deleted after that.
        expire_after: time to live, counted from this change.
        reply: the reply as a function of the new state; None when it is forwarded or refused.
        error: the command is refused; nothing else counts then (ES-24).
        forward: whoever is called here replies instead.
        side_effects: calls to make when everything is durable, in order.
        event_metadata: stored with each event (or state).
        metadata: sent with the reply.
        transition: what a workflow does next.
        undo: how to undo what a step of a workflow has done, the newest last.
        notes: what those are told who listen to a workflow, in order.
    """

    events: tuple[Any, ...] = ()
    state: Any = None
    has_state: bool = False
    delete: bool = False
    expire_after: timedelta | None = None
    reply: Callable[[Any], Any] | None = None
    error: CommandError | None = None
    forward: Call[Any] | None = None
    side_effects: tuple[Call[Any], ...] = ()
    event_metadata: Metadata = NO_METADATA
    metadata: Metadata = NO_METADATA
    transition: Next | None = None
    undo: tuple[Call[Any], ...] = ()
    notes: tuple[Any, ...] = ()


class Decided:
    """Carries a decision; every method gives another object."""

    __slots__ = ("decision",)

    def __init__(self, decision: Decision) -> None:
        self.decision = decision

    def side_effect(self, call: Call[Any], /) -> Self:
        """Make this call too, after the reply and durably; its own outcome changes nothing here."""
        call.spend("handed to .side_effect(...)")
        return self._with(side_effects=(*self.decision.side_effects, call))

    def _with(self, **changes: Any) -> Self:
        return type(self)(msgspec.structs.replace(self.decision, **changes))

    def __repr__(self) -> str:
        said = {
            name: value
            for name, value in msgspec.structs.asdict(self.decision).items()
            if value is not None and value is not False and value != () and value != NO_METADATA
        }
        shown = ", ".join(f"{name}={value!r}" for name, value in said.items())
        return f"{type(self).__name__}({shown})"


class Effect(Decided, Generic[R_co]):
    """A finished decision whose reply is an `R_co`. Not awaitable: calls are, effects are not."""

    __slots__ = ()

    def with_metadata(self, metadata: Mapping[str, str], /) -> Self:
        """Send these metadata with the reply."""
        return self._with(metadata=Metadata(metadata))


class Update(Decided, Generic[S]):
    """A change without its reply: no `Effect` until `then_reply` or `then_forward`."""

    __slots__ = ()

    def with_metadata(self, metadata: Mapping[str, str], /) -> Self:
        """Store these metadata with each event (or with the state); consumers see them (ES-33)."""
        return self._with(event_metadata=Metadata(metadata))

    def delete_entity(self) -> Self:
        """Delete the entity after this change (ES-50): it takes no more, and goes after 7 days."""
        return self._with(delete=True)

    def expire_after(self, after: timedelta, /) -> Self:
        """Delete the entity this long after this change, if no other comes before (ES-54).

        Each change has to repeat it: one without it cancels.

        Raises:
            ValueError: `after` is not positive.
        """
        return self._with(expire_after=positive(after, "expire_after"))

    @overload
    def then_reply(self, reply: None, /) -> Effect[None]: ...
    @overload
    def then_reply(self, reply: Callable[[S], R], /) -> Effect[R]: ...
    def then_reply(self, reply: Callable[[S], Any] | None, /) -> Effect[Any]:
        """Reply with this function of the new state, or with nothing (None).

        The caller gets it when the change is durable (ES-22). If it raises, nothing is changed.
        """
        if reply is not None and not callable(reply):
            raise TypeError(f"then_reply takes a function of the new state, or None; got {reply!r}")
        return Effect(msgspec.structs.replace(self.decision, reply=reply or nothing))

    def then_forward(self, call: Call[R], /) -> Effect[R]:
        """Let somebody else reply, when the change is durable."""
        call.spend("handed to .then_forward(...)")
        return Effect(msgspec.structs.replace(self.decision, forward=call))


class Effects:
    """What every handler may decide."""

    __slots__ = ()

    def reply(self, value: R, /) -> Effect[R]:
        """Reply with a value and change nothing."""
        return Effect(Decision(reply=constant(value)))

    def error(
        self, message: str, /, *, code: Code = "invalid_argument", details: object = None
    ) -> Effect[Never]:
        """Refuse the command and change nothing; raising `CommandError` is the same.

        Args:
            message: for the caller.
            code: gRPC status name in lower case; decides the HTTP status.
            details: any value that can be encoded as JSON.
        """
        return Effect(Decision(error=CommandError(message, code=code, details=details)))

    def forward(self, call: Call[R], /) -> Effect[R]:
        """Let somebody else reply."""
        call.spend("handed to effects.forward(...)")
        return Effect(Decision(forward=call))


class EventSourcedEffects(Effects, Generic[S, E_contra]):
    """What a command of an event sourced entity may decide."""

    __slots__ = ()

    def persist(self, *events: E_contra) -> Update[S]:
        """Append these events, all or none; without any it only replies (ES-25)."""
        return Update(Decision(events=events))


class StateEffects(Effects, Generic[S]):
    """What a command of a value entity may decide."""

    __slots__ = ()

    def update_state(self, state: S, /) -> Update[S]:
        """Replace the whole state.

        Raises:
            ValueError: the state is None (KV-01); `delete_entity()` deletes.
        """
        return Update(Decision(state=not_none(state), has_state=True))

    def delete_entity(self) -> Update[S]:
        """Delete the entity: reads see the empty state, and it goes after 7 days (KV-04)."""
        return Update(Decision(delete=True))


class ValueEffects(StateEffects[S]):
    """What a command of a value entity may decide."""

    __slots__ = ()


class ReplicatedEffects(StateEffects[S]):
    """What a command of a replicated entity may decide."""

    __slots__ = ()


class ActionEffects(Effects):
    """What an action may decide where its reply carries metadata or is forwarded."""

    __slots__ = ()


class RowEffect(Generic[R_co]):
    """What happens to one row of a view's table: `kind` is update, delete or ignore."""

    __slots__ = ("kind", "row")

    def __init__(self, kind: str, row: Any = None) -> None:
        self.kind = kind
        self.row = row


class RowEffects:
    """What a table handler of a view may decide."""

    __slots__ = ()

    def update_row(self, row: R, /) -> RowEffect[R]:
        """Replace the row, or insert it.

        Raises:
            ValueError: the row is None (VW-12); `delete_row()` removes it.
        """
        if row is None:
            raise ValueError("update_row(None): a row is never None; delete_row() removes it")
        return RowEffect("update", row)

    def delete_row(self) -> RowEffect[Never]:
        """Remove the row."""
        return RowEffect("delete")

    def ignore(self) -> RowEffect[Never]:
        """Leave the row as it is."""
        return RowEffect("ignore")


def constant(value: R) -> Callable[[Any], R]:
    """The function that always gives this value."""
    return lambda _state: value


def nothing(_state: object) -> None:
    """The reply of `then_reply(None)`."""


def not_none(state: S) -> S:
    """The state itself; None is refused at once (KV-01)."""
    if state is None:
        raise ValueError(
            "update_state(None): a state is never None; use delete_entity() or an empty state"
        )
    return state
