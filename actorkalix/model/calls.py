"""A call: a value that says what to ask of whom. Awaited it is sent; handed on it is data."""

from __future__ import annotations

import sys
import warnings
from collections.abc import AsyncGenerator, Generator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec

from actorkalix.model.metadata import Metadata
from actorkalix.model.names import check_idempotency_key
from actorkalix.model.transport import Reply, Request, Update

if TYPE_CHECKING:
    from typing import Self

R_co = TypeVar("R_co", covariant=True)


class Sender(Protocol):
    """What a call asks of the client that built it."""

    async def send(self, request: Request, /) -> Reply[Any]: ...

    def send_and_wait(self, request: Request, timeout: timedelta | None, /) -> Reply[Any]: ...

    def stream(self, request: Request, /) -> AsyncGenerator[Any]: ...

    def stream_and_wait(self, request: Request, /) -> Generator[Any]: ...


class Unsent:
    """What calls and streams have in common: they say what to ask, and are used once."""

    __slots__ = ("_file", "_line", "_request", "_sender", "_spent")

    def __init__(self, request: Request, sender: Sender | None, built_at: tuple[str, int]) -> None:
        self._spent = ""
        self._request = request
        self._sender = sender
        self._file, self._line = built_at

    @property
    def request(self) -> Request:
        """What it says, as data."""
        return self._request

    def with_idempotency_key(self, key: str, /) -> Self:
        """The same under a key: within 24 hours it is executed once, however often it is sent.

        Args:
            key: 1 to 128 bytes of UTF-8 without control characters; its scope is the entity.

        Raises:
            InvalidIdempotencyKey: the key is something else.
        """
        return self._with("with_idempotency_key", idempotency_key=check_idempotency_key(key))

    def with_metadata(self, metadata: Mapping[str, str], /) -> Self:
        """The same with these metadata, which the handler finds in `self.context.metadata`."""
        return self._with("with_metadata", metadata=Metadata(metadata))

    def with_timeout(self, timeout: timedelta, /) -> Self:
        """The same, given up after this time (of each attempt).

        Raises:
            ValueError: it is not positive.
        """
        return self._with("with_timeout", timeout=positive(timeout, "a timeout"))

    def with_retry(self, attempts_max: int, /) -> Self:
        """The same, sent again where that is safe, with growing pauses.

        Safe is what was not executed, and with an idempotency key also what may have been.

        Args:
            attempts_max: 1 and up; 1 never sends again.

        Raises:
            ValueError: it is below 1.
        """
        if attempts_max < 1:
            raise ValueError(
                f"attempts_max counts the first one too, so it is at least 1, got {attempts_max}"
            )
        return self._with("with_retry", attempts_max=attempts_max)

    def spend(self, how: str, /) -> Request:
        """Mark it used, as everything does that sends it or takes it over, and give what it says.

        Args:
            how: for the error of a second use, as in "was already *awaited*".

        Raises:
            RuntimeError: it was used before.
        """
        if self._spent:
            raise RuntimeError(
                f"{self!r} of {self._file}:{self._line} was already {self._spent}; "
                "a call is used once, so build another one"
            )
        self._spent = how
        return self._request

    def _given_sender(self) -> Sender:
        if self._sender is None:
            raise RuntimeError(
                f"{self!r} was built in an entity, and entities do not wait: "
                "hand it to self.effects.forward(...) or .side_effect(...), or call from an action"
            )
        return self._sender

    def _with(self, option: str, **changes: Any) -> Self:
        changed = msgspec.structs.replace(self.spend(f"replaced by .{option}(...)"), **changes)
        return type(self)(changed, self._sender, (self._file, self._line))

    def __repr__(self) -> str:
        asked = self._request
        shown = [
            *map(repr, asked.args),
            *(f"{name}={value!r}" for name, value in asked.kwargs.items()),
        ]
        entity = "" if asked.entity_id is None else f"({asked.entity_id!r})"
        kind = type(self).__name__
        return f"<{kind} {asked.component.__name__}{entity}.{asked.method}({', '.join(shown)})>"

    def __del__(self) -> None:
        if self._spent or sys.is_finalizing():
            return
        self._spent = "dropped"
        message = f"{self!r} was neither sent nor handed on; is an `await` missing?"
        warnings.warn_explicit(message, RuntimeWarning, self._file, self._line)


class Call(Unsent, Generic[R_co]):
    """An unsent call: `await call` sends it and gives the reply.

    Hand it on unsent to `effects.forward`, `effects.side_effect`, `then_forward` or timers instead.
    """

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, R_co]:
        """Send it and wait for the reply.

        Cancellation: the command may have been executed.
        Durability: what the reply tells of is on disk.

        Raises:
            CommandError: the handler refused.
            ActorkalixError: anything else; `error.outcome` says whether it may have been executed.
            RuntimeError: it was used before, or built where nothing can be sent (in an entity).
        """
        return self._answer(self.spend("awaited")).__await__()

    def result(self, timeout: timedelta | None = None) -> R_co:
        """Send it and block until the reply is there: for scripts that enter the client by `with`.

        Args:
            timeout: how long to wait; None waits as long as the service does.

        Raises:
            RuntimeError: this thread runs an event loop (`await` the call there), or the client was
                not entered by `with`.
            OutcomeUnknown: no reply within `timeout`.
            CommandError, ActorkalixError: as for `await`.
        """
        request = self.spend("sent by .result()")
        value: R_co = self._value(self._given_sender().send_and_wait(request, timeout))
        return value

    def reply(self) -> Call[Reply[R_co]]:
        """The same call, answered with the reply's token and metadata too."""
        request = self.spend("replaced by .reply()")
        whole: _WholeReply[R_co] = _WholeReply(request, self._sender, (self._file, self._line))
        return whole

    async def send(self) -> None:
        """Return when the call is durably queued, without waiting for its outcome.

        It is made as side effects are: in the order of its target's calls, until it has an outcome,
        and once at an entity of ours. Under an idempotency key it is queued once.

        Durability: the call is on disk when it returns.

        Raises:
            ActorkalixError: it was not queued, or nobody knows; `error.outcome` says which.
            RuntimeError: it was used before, or built where nothing can be sent (in an entity).
        """
        request = self.spend("sent by .send()")
        await self._given_sender().send(msgspec.structs.replace(request, queued=True))

    async def _answer(self, request: Request) -> R_co:
        value: R_co = self._value(await self._given_sender().send(request))
        return value

    def _value(self, reply: Reply[Any]) -> Any:
        return reply.value


class _WholeReply(Call[Reply[R_co]]):
    __slots__ = ()

    def _value(self, reply: Reply[Any]) -> Any:
        return reply


class Stream(Unsent, Generic[R_co]):
    """An unsent streaming call: `async for row in stream` sends it (in scripts `for`).

    Whoever leaves the loop early ends the handler, at once with
    `async with contextlib.aclosing(aiter(stream))`.
    """

    __slots__ = ()

    def __aiter__(self) -> AsyncGenerator[R_co]:
        """Send it; the elements come as the handler yields them.

        Raises:
            CommandError: the handler refused, be it after some elements.
            ActorkalixError: anything else.
            RuntimeError: it was used before, or built where nothing can be sent (in an entity).
        """
        request = self.spend("iterated")
        return self._given_sender().stream(request)

    def updates(self, *, after: str = "") -> Stream[Update[R_co]]:
        """The same stream with what else it tells: which rows are gone, and marks to go on behind.

        For queries with `stream_updates`; others have rows alone.

        Args:
            after: `mark` of the last update that was seen; what changed since then comes first.
        """
        request = self.spend("replaced by .updates()")
        request = msgspec.structs.replace(request, updates=True, resume=after or None)
        return Stream(request, self._sender, (self._file, self._line))

    def __iter__(self) -> Generator[R_co]:
        """The same for scripts that enter the client by `with`, and for plain functions of actions.

        Raises:
            CommandError, ActorkalixError, RuntimeError: as for `async for`.
        """
        request = self.spend("iterated")
        return self._given_sender().stream_and_wait(request)


def positive(time: object, what: str) -> timedelta:
    """The time itself.

    Raises:
        TypeError: it is no timedelta.
        ValueError: it is not positive.
    """
    if not isinstance(time, timedelta):
        raise TypeError(f"{what} is a timedelta, got {time!r}")
    if time <= timedelta(0):
        raise ValueError(f"{what} is positive, got {time}")
    return time
