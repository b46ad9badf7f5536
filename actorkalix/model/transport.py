"""What a call says, and who carries it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

import msgspec

from actorkalix.model.metadata import NO_METADATA, Metadata

R_co = TypeVar("R_co", covariant=True)


class Request(msgspec.Struct, frozen=True):
    """What a call says, as data.

    Attributes:
        component: the class that is asked.
        entity_id: which instance; None for actions and views.
        method: name of the handler.
        args, kwargs: for the handler, not yet checked or encoded.
        idempotency_key: 1 to 128 bytes of UTF-8, or None.
        metadata: for the handler's `self.context.metadata`.
        timeout: of each attempt; None is the service's `ask_timeout`.
        attempts_max: 1 and up; beyond 1 the client sends again where that is safe.
        after: consistency token that a view has to have reached.
        queued: the answer is that it is durably queued.
        resume: mark of the last element of a stream that the caller has had.
        updates: the elements of a stream are wanted as `Update`s.
    """

    component: type[Any]
    entity_id: str | None
    method: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}
    idempotency_key: str | None = None
    metadata: Metadata = NO_METADATA
    timeout: timedelta | None = None
    attempts_max: int = 1
    after: str | None = None
    queued: bool = False
    resume: str | None = None
    updates: bool = False


class Update(msgspec.Struct, Generic[R_co], frozen=True):
    """An element of a stream of updates, with what came beside it.

    Attributes:
        kind: `row` is new or has changed; `removed` does not match the query any more, or is gone;
            `reset` says that all comes again, for what came before is not known any more.
        value: the row, None but for `row`.
        subject: of what was removed: the entity's id, say; "" otherwise.
        mark: to go on behind this element later, by `.updates(after=mark)`.
    """

    kind: Literal["row", "removed", "reset"]
    value: R_co | None = None
    subject: str = ""
    mark: str = ""


class Reply(msgspec.Struct, Generic[R_co], frozen=True):
    """A reply with what came beside it.

    Attributes:
        value: what the handler replied.
        token: consistency token, for `client.view(..., after=token)`; "" where there is none.
        metadata: what the handler sent along.
    """

    value: R_co
    token: str = ""
    metadata: Mapping[str, str] = NO_METADATA


class Transport(Protocol):
    """Carries requests to a service. One attempt each: the client in front of it sends again."""

    async def send(self, request: Request, /) -> Reply[Any]:
        """Send a request and wait for its reply.

        Cancellation: the request may have been executed.
        Durability: what the reply tells of is on disk.

        Raises:
            CommandError: the handler refused.
            ActorkalixError: anything else; its `outcome` says whether it may have been executed.
        """
        ...

    async def aclose(self) -> None:
        """Close connections; nothing is sent after it."""
        ...


@runtime_checkable
class StreamTransport(Transport, Protocol):
    """A transport that carries streams too."""

    def stream(self, request: Request, /) -> AsyncGenerator[Any]:
        """Send a request and give the elements of its answer; closing it ends the handler.

        Raises:
            CommandError, ActorkalixError: as for `send`, also after some elements.
        """
        ...


class _Told(msgspec.Struct):
    """What comes with an element that is no row."""

    subject: str = ""


def update_of(event: str, payload: bytes, mark: str) -> Update[Any]:
    """The update that an element is which is no row.

    Args:
        event: its kind.
        payload: its JSON.
        mark: of it.
    """
    told = msgspec.json.decode(payload, type=_Told)
    return Update("removed" if event == "removed" else "reset", subject=told.subject, mark=mark)
