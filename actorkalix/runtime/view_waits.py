"""Waits of a view's callers for what they have seen (read your writes).

A token names positions, or "the heads of all shards at a time". The view's file says which
positions it has passed; here is the wait between. What it cannot get to is told at once: another
history (400), or a change at which the view's own handler fails (409).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from actorkalix.errors import ActorkalixError, SubjectParked, TokenUnreachable, ViewBehind
from actorkalix.gateway import tokens
from actorkalix.limits import Limits
from actorkalix.runtime.until import Until
from actorkalix.views.reading import ReaderPool
from actorkalix.views.standing import missing, parked_in, standings
from actorkalix.views.watching import Watcher
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.feeding import Held
from actorkalix_storage.api import Position

NAMED_MAX = 3  # shards that a message names
READ_S = 1.0  # some hundred rows


class Places(Protocol):
    """What is known of the shards of a service."""

    @property
    def shards(self) -> int:
        """How many there are."""
        ...

    @property
    def lineage(self) -> int:
        """Of the stores."""
        ...

    async def heads(self) -> Mapping[int, Position]:
        """The newest position of every shard that has one.

        Raises:
            OwnerAway: some host that may have one is away.
        """
        ...

    async def subject_at(self, shard: int, offset: int) -> tuple[str, str] | None:
        """Component and entity of a record; None where that is not known any more.

        Raises:
            OwnerAway: its host is away.
        """
        ...


class Waits:
    """Waits for one view.

    Args:
        view: its id.
        pool: reads its file.
        watcher: says when that has changed.
        places: of the service.
        clock: whose time the limit is in.
        limits: `view_wait_timeout` counts here.
        reachable: some source of the view is stored in shards.
    """

    def __init__(
        self,
        view: str,
        pool: ReaderPool,
        watcher: Watcher,
        places: Places,
        clock: Clock,
        limits: Limits,
        *,
        reachable: bool = True,
    ) -> None:
        self._view = view
        self._pool = pool
        self._watcher = watcher
        self._places = places
        self._clock = clock
        self._wait_ms = limits.view_wait_timeout // timedelta(milliseconds=1)
        self._reachable = reachable

    async def until(self, after: str, deadline_ms: int) -> None:
        """Return when the view has passed what a token names.

        Args:
            after: the token's text.
            deadline_ms: of the message, 0 for none.

        Raises:
            InvalidPayload: it is no token.
            TokenUnreachable, SubjectParked: it never will.
            ViewBehind: not in time; the message says how far it is.
            OwnerAway: what the token names cannot be found out now.
        """
        token = tokens.decode(after)
        if not self._reachable:
            raise TokenUnreachable(
                f"the view {self._view!r} has no source that is stored here; no token gets there"
            )
        wanted = {mark.shard: self._position(mark) for mark in token.marks}
        if token.heads_at_ms:
            wanted = {**wanted, **await self._places.heads()}
        wait_ms = self._wait_ms
        if deadline_ms:
            wait_ms = min(wait_ms, deadline_ms - self._clock.now_ms())
        open_ = wanted
        try:
            with Until(self._clock, max(0, wait_ms)):
                while True:
                    number = self._watcher.look()
                    open_, parked = await self._open(wanted)
                    if parked:
                        await self._refuse_parked(parked, wanted)
                    if not open_:
                        return
                    await self._watcher.beyond(number)
        except TimeoutError:
            raise self._behind(open_) from None

    async def _open(self, wanted: Mapping[int, Position]) -> tuple[dict[int, Position], list[Held]]:
        return await self._pool.aside(
            lambda read: (missing(standings(read), wanted), parked_in(read, wanted)),
            timeout_s=READ_S,
            snapshot=True,
        )

    def _position(self, mark: tokens.Mark) -> Position:
        if not 0 <= mark.shard < self._places.shards:
            raise TokenUnreachable(f"the token names shard {mark.shard}, which is not there")
        if mark.lineage != self._places.lineage:
            raise TokenUnreachable(
                "the token is of another history of this service, which was restored since"
            )
        return Position(mark.lineage, mark.epoch, mark.offset)

    async def _refuse_parked(self, parked: list[Held], wanted: Mapping[int, Position]) -> None:
        """Raises SubjectParked when it is about a change that the caller has seen."""
        for row in parked:
            position = wanted[row.shard]
            if row.offset > position.offset:
                continue
            subject = await self._places.subject_at(row.shard, position.offset)
            if subject in (None, (row.component, row.entity)):
                raise SubjectParked(
                    f"the view {self._view!r} fails on {row.component} {row.entity!r} "
                    f"({row.attempts} attempts): {row.failure}"
                )

    def _behind(self, open_: Mapping[int, Position]) -> ActorkalixError:
        named = ", ".join(
            f"shard {shard} up to {open_[shard].offset:,}" for shard in sorted(open_)[:NAMED_MAX]
        )
        more = f" and {len(open_) - NAMED_MAX:,} more" if len(open_) > NAMED_MAX else ""
        return ViewBehind(
            f"the view {self._view!r} has not got to what the caller has seen in time: "
            f"it lacks {named}{more}{self._progress(open_)}"
        )

    def _progress(self, open_: Mapping[int, Position]) -> str:
        """How far it is in the shard that it lacks."""
        try:
            there = self._pool.reader().run(standings, until=float("inf"))
        except ActorkalixError:
            return "; it has no file yet"
        shard = min(open_, default=0)
        offset = there[shard].position.offset if shard in there else 0
        return f"; in shard {shard} it is at {offset:,}"
