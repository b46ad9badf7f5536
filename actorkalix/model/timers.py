"""Timers: calls that are kept for later, durably, under names."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, overload

import msgspec

from actorkalix.errors import InvalidTimer, NotInThisVersion
from actorkalix.model.calls import Call, Stream, positive
from actorkalix.model.names import check_timer_name
from actorkalix.model.transport import Request

if TYPE_CHECKING:
    from actorkalix.ports import TimerView

CatchUp: TypeAlias = Literal["one", "all", "none"]
"""What is done about periods that passed while the service was down: one run for all of them, a run
for each, or no run."""

WAIT_MAX = timedelta(days=36_525)  # a century
CATCH_UPS = ("one", "all", "none")


class Schedule(msgspec.Struct, frozen=True):
    """When a call is made. One of `after`, `every` and `cron` is given.

    Attributes:
        after: once, that much later.
        every: again and again, that far apart.
        cron, zone: by a cron line, in the time of an IANA zone.
        max_retries: attempts after the first, None without end.
        catch_up: see `CatchUp`.
    """

    after: timedelta | None = None
    every: timedelta | None = None
    cron: str = ""
    zone: str = "UTC"
    max_retries: int | None = None
    catch_up: CatchUp = "one"


class Keeper(Protocol):
    """Keeps timers, by their names, for the whole service."""

    async def start(self, name: str, request: Request, schedule: Schedule, /) -> None: ...

    async def cancel(self, name: str, /) -> bool: ...

    async def get(self, name: str, /) -> TimerView | None: ...


class Timers:
    """Keeps calls for later, durably. A name is one timer in the whole service.

    A timer makes its call at least once, never early by the clock of its shard. A call that fails,
    by a domain error too, is made again after 3 s, then twice as late each time up to 30 s. Its
    effects on entities happen once, though it may be made more often: write handlers of actions so
    that a second run does no harm, and take "already done" as done.
    """

    def __init__(self, keeper: Keeper | None = None) -> None:
        self._keeper = keeper

    async def start_single(
        self, name: str, /, *, after: timedelta, call: Call[Any], max_retries: int | None = None
    ) -> None:
        """Make the call once, at least this long from now; a timer of the same name is replaced.

        Durability: the timer is on disk when it returns.

        Args:
            name: 1 to 256 bytes of UTF-8 without control characters.
            after: positive, at most a century.
            call: unsent, of an entity or an action.
            max_retries: of a failing call, 0 for none, None without end. The timer is gone after
                the last.

        Raises:
            InvalidTimer: the name is something else.
            TypeError, ValueError: the call cannot be kept, or a number is out of range.
            ActorkalixError: it was not started, or nobody knows; `error.outcome` says which.
        """
        request = _taken(call, "start_single")
        schedule = Schedule(after=_wait(after, "after"), max_retries=_retries(max_retries))
        await self._kept().start(check_timer_name(name), request, schedule)

    @overload
    async def start_periodic(
        self,
        name: str,
        /,
        *,
        every: timedelta,
        call: Call[Any],
        max_retries: int | None = None,
        catch_up: CatchUp = "one",
    ) -> None: ...
    @overload
    async def start_periodic(
        self,
        name: str,
        /,
        *,
        cron: str,
        zone: str = "UTC",
        call: Call[Any],
        max_retries: int | None = None,
        catch_up: CatchUp = "one",
    ) -> None: ...
    async def start_periodic(
        self,
        name: str,
        /,
        *,
        every: timedelta | None = None,
        cron: str | None = None,
        zone: str = "UTC",
        call: Call[Any],
        max_retries: int | None = None,
        catch_up: CatchUp = "one",
    ) -> None:
        """Make the call again and again; a timer of the same name is replaced.

        The next call is made when the one before has succeeded or was given up; periods that pass
        meanwhile count as missed.

        Durability: the timer is on disk when it returns.

        Args:
            name: as for `start_single`.
            every: between two calls, and before the first; positive, at most a century.
            cron: instead of `every`: five fields, as "0 3 * * *", or a name as "@daily".
            zone: IANA time zone of the cron line. A fixed time that clocks leave out comes when
                they go ahead; one that comes twice comes once.
            call: unsent, of an entity or an action, without an idempotency key.
            max_retries: of a failing call, 0 for none, None without end. The next period begins
                anew.
            catch_up: "one" run for all periods that were missed, a run for "all" of them, or
                "none".

        Raises:
            InvalidTimer: the name, the cron line or the zone is none; lines that never come are.
            TypeError, ValueError, ActorkalixError: as for `start_single`.
        """
        request = _taken(call, "start_periodic")
        if request.idempotency_key is not None:
            raise ValueError(
                "a periodic timer's call has no idempotency key: it would be made once in 24 hours"
            )
        if (every is None) == (cron is None):
            raise TypeError("start_periodic takes one of every= and cron=")
        if cron == "":
            raise InvalidTimer("a cron line is empty; one is '0 3 * * *'")
        if catch_up not in CATCH_UPS:
            raise ValueError(f"catch_up is one of {', '.join(CATCH_UPS)}, got {catch_up!r}")
        schedule = Schedule(
            every=None if every is None else _wait(every, "every"),
            cron=_text(cron or "", "cron"),
            zone=_text(zone, "zone"),
            max_retries=_retries(max_retries),
            catch_up=catch_up,
        )
        await self._kept().start(check_timer_name(name), request, schedule)

    async def cancel(self, name: str, /) -> None:
        """Forget the timer; nothing happens when there is none. A call under way goes on.

        Durability: it does not fire again once this returns.

        Raises:
            InvalidTimer: the name is none.
        """
        await self._kept().cancel(check_timer_name(name))

    async def get(self, name: str, /) -> TimerView | None:
        """The timer of a name: when it is due, whom it calls, how its attempts failed; or None.

        Raises:
            InvalidTimer: the name is none.
        """
        return await self._kept().get(check_timer_name(name))

    def _kept(self) -> Keeper:
        if self._keeper is None:
            raise NotInThisVersion("timers are kept by a running service alone")
        return self._keeper


def _taken(call: Any, method: str) -> Request:
    """What a call says, now that it is a timer's (TI-06)."""
    if isinstance(call, Stream):
        call.spend(f"handed to timers.{method}(...)")
        raise TypeError(f"{call!r} streams, and a timer has nobody who would listen")
    if not isinstance(call, Call):
        raise TypeError(
            "a timer's call is an unsent one, as self.client.entity(ShoppingCart, id).expire(), "
            f"got {call!r}"
        )
    request = call.spend(f"handed to timers.{method}(...)")
    if request.component._asked_by.startswith("client.view("):
        raise TypeError(f"{call!r} asks a view, and a timer has nobody who would read the answer")
    return request


def _wait(time: object, what: str) -> timedelta:
    wait = positive(time, what)
    if wait > WAIT_MAX:
        raise ValueError(f"{what} is at most {WAIT_MAX.days:,} days, got {wait}")
    return wait


def _retries(count: object) -> int | None:
    if count is None or (type(count) is int and 0 <= count < 2**31):
        return count
    raise ValueError(f"max_retries is None or a number from 0, got {count!r}")


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is a text, got {value!r}")
    return value
