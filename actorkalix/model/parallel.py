"""Calls that a step makes at the same time, and what it waits for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from actorkalix.model.calls import Call
from actorkalix.model.steps import Backoff, Recovery
from actorkalix.model.transport import Request

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
Wait: TypeAlias = Literal["all", "first"] | int
"""For all branches, for the first that succeeds, or for so many of them."""


class Otherwise(msgspec.Struct, frozen=True):
    """What a branch gives instead of its error."""

    value: Any


class Branch(Generic[R_co]):
    """A call of `self.parallel(...)` with what becomes of it when it fails: see `branch`.

    Attributes:
        request: what the call says.
        retries: after the first attempt.
        backoff: between attempts.
        final: errors that no further attempt can mend.
        otherwise: what counts as its reply when all attempts failed, or None.
    """

    __slots__ = ("backoff", "final", "otherwise", "request", "retries")

    def __init__(
        self, request: Request, recover: Recovery | None, otherwise: Otherwise | None
    ) -> None:
        if recover is not None and (recover.step is not None or recover.undoes):
            raise ValueError("a branch is tried again, it goes on with no step: max_retries(...)")
        self.request = request
        self.retries = 0 if recover is None else recover.retries
        self.backoff = Backoff() if recover is None else recover.backoff
        self.final = () if recover is None else recover.final
        self.otherwise = otherwise


_NOTHING: Any = object()


def branch(
    call: Call[R], /, *, recover: Recovery | None = None, otherwise: R = _NOTHING
) -> Branch[R]:
    """A call for `self.parallel(...)` that recovers by itself.

    Args:
        call: unsent.
        recover: `max_retries(...)`, with a wait that the step's timeout leaves room for.
        otherwise: what counts as its reply when the last attempt failed too; without it the branch
            has failed.
    """
    kept = None if otherwise is _NOTHING else Otherwise(otherwise)
    return Branch(call.spend("handed to branch(...)"), recover, kept)


class Parallel(Protocol):
    """Makes calls at the same time; the step's runner has one."""

    def start(self, branches: tuple[Branch[Any], ...], wait: Wait, /) -> Awaitable[Any]: ...

    def run(self, branches: tuple[Branch[Any], ...], wait: Wait, /) -> Any: ...


class Pending(Generic[R_co]):
    """Branches that are not started yet: await them, or in a plain `def` take `.result()`."""

    __slots__ = ("_branches", "_make", "_wait")

    def __init__(
        self, make: Callable[[], Parallel], branches: tuple[Branch[Any], ...], wait: Wait
    ) -> None:
        self._make = make
        self._branches = branches
        self._wait: Wait = wait

    def __await__(self) -> Generator[Any, Any, R_co]:
        """Start the branches, and wait for as many as was said."""
        return self._make().start(self._branches, self._wait).__await__()

    def result(self) -> R_co:
        """The same, blocking: for steps that are plain functions."""
        value: R_co = self._make().run(self._branches, self._wait)
        return value


def _is_call(given: object) -> bool:
    return isinstance(given, Call)


def branches_of(calls: tuple[Call[Any] | Branch[Any], ...], wait: Wait) -> tuple[Branch[Any], ...]:
    """The branches of `self.parallel(...)`.

    Raises:
        TypeError: one is no call.
        ValueError: none is there, or fewer than are waited for.
    """
    made: list[Branch[Any]] = []
    for call in calls:
        if isinstance(call, Branch):
            made.append(call)
        elif _is_call(call):
            made.append(branch(call))
        else:
            raise TypeError(f"parallel(...) takes unsent calls, got {call!r}")
    if wait not in ("all", "first") and (type(wait) is not int or not 1 <= wait <= len(made)):
        raise ValueError(
            f'wait= is "all", "first", or a number from 1 to {len(made)}, got {wait!r}'
        )
    if not made:
        raise ValueError("parallel(...) takes at least one call")
    return tuple(made)
