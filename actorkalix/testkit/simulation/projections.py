"""Simulated processes that keep views, each with a file that outlives it.

Theory of operation. A view has a file, which is a database in memory that the world holds, and most
of the time a process that has it open. Feeds of all hosts send it batches over a network that loses
some, and some of the answers, and brings some twice. A process may die at any statement of a
transaction, which is rolled back as it is when a process dies; or after the commit, when nobody was
told. Some deaths take the file along. Some are none: a process is taken for dead, another one is
started, and both write one file for a while, as if its lock did not hold.

Whoever starts a process tells all hosts, for what it has may be less than they believe.
"""

from __future__ import annotations

import asyncio
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from typing import Any

import msgspec

from actorkalix.describe.descriptors import (
    ComponentDescriptor,
    ServiceDescriptor,
    TableHandler,
    ViewDescriptor,
)
from actorkalix.views.files import connect_writer
from actorkalix.views.projection import Projection
from actorkalix_cluster.shardhost.feeding import pack_answer, unpack_batch
from actorkalix_cluster.shardhost.host import ShardHost

from .chance import Chance
from .faults import Conditions
from .inside import DeliveryFails
from .loop import SimulationLoop
from .network import LOST_US
from .processes import Process
from .trace import Trace

STATEMENTS = 16
"""A process dies at one of the first so many statements of a transaction, or after its commit."""
_NUMBERS = count(1)

Row = tuple[str, str, str]
"""Table, subject, and the row as it is stored."""


class ViewDies(BaseException):
    """The process is gone."""


class DyingConnection(sqlite3.Connection):
    """A connection whose process may die, or whose disk may be full, at a statement.

    Attributes:
        left: statements until then; negative for never.
        fails: the disk is full instead.
    """

    left = -1
    fails = False

    def _reach(self) -> None:
        if self.left < 0:
            return
        self.left -= 1
        if self.left >= 0:
            return
        if not self.fails:
            raise ViewDies
        error = sqlite3.OperationalError("the simulated disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self._reach()
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        self._reach()
        return super().executemany(sql, parameters)


class Opening:
    """One opening of a view's file by one process.

    Attributes:
        process: that has it open.
        connection: to the file.
        projection: writes it.
    """

    def __init__(
        self, process: Process, uri: str, component: ComponentDescriptor, generation: str
    ) -> None:
        assert component.view is not None, "the component is a view"
        self.process = process
        connection = connect_writer(uri, factory=DyingConnection)
        assert isinstance(connection, DyingConnection)
        self.connection = connection
        self.projection = Projection(connection, component, component.view, generation=generation)

    def apply(self, batch: bytes) -> bytes:
        """Take a batch.

        Raises:
            ViewDies: in the midst of it; nothing of it is in the file.
        """
        try:
            return pack_answer(self.projection.apply(unpack_batch(batch)))
        finally:
            self.connection.left = -1

    def close(self) -> None:
        """What was not committed is rolled back."""
        self.connection.left = -1
        self.projection.close()


class SimulatedView:
    """A view, whoever keeps it.

    Attributes:
        current: the opening that others know of; None while there is none.
        former: openings that were taken for dead and live.
    """

    def __init__(self, component: ComponentDescriptor) -> None:
        self.component = component
        self.current: Opening | None = None
        self.former: list[Opening] = []
        self.openings = 0
        self.files = 1
        self.uri, self._keeper = _new_file()

    def lose(self) -> None:
        """The file is gone; the next one is another generation."""
        self._keeper.close()
        self.files += 1
        self.uri, self._keeper = _new_file()

    def rows(self) -> Iterator[Row]:
        """All rows of the file."""
        view = self.component.view
        for name in () if view is None else view.tables:
            quoted = '"' + name.replace('"', '""') + '"'
            found = self._keeper.execute(f'SELECT "$subject", "$row" FROM {quoted} ORDER BY 1')
            yield from ((name, subject, row) for subject, row in found)

    def end(self) -> None:
        """Nobody has it open any more, and the file is gone."""
        for each in (self.current, *self.former):
            if each is not None:
                each.process.kill()
                each.close()
        self.current, self.former = None, []
        self._keeper.close()


class SimulatedViews:
    """All views of a service.

    Args:
        service: whose views they are.
        loop: all of it happens there.
        chance: what happens by itself.
        conditions: how often it does.
        trace: of the run.
    """

    def __init__(
        self,
        service: ServiceDescriptor,
        loop: SimulationLoop,
        chance: Chance,
        conditions: Conditions,
        trace: Trace,
    ) -> None:
        self._loop = loop
        self._chance = chance
        self._conditions = conditions
        self._trace = trace
        self._hosts: list[tuple[Process, ShardHost]] = []
        self.views: Mapping[str, SimulatedView] = {
            name: SimulatedView(_failing(component, self._fails))
            for name, component in service.components.items()
            if component.view is not None
        }
        for name in self.views:
            self._open(name)

    def _fails(self) -> bool:
        rate = self._conditions.rates.delivery_fails
        return rate > 0 and self._chance.happens(rate)

    # ---- hosts --------------------------------------------------------------------------------
    def target(self, process: Process) -> SimulatedTarget:
        """Where the feeds of a host send."""
        return SimulatedTarget(self, process)

    def attend(self, process: Process, host: ShardHost) -> None:
        """A host feeds from now on."""
        self._hosts = [each for each in self._hosts if each[0].alive]
        self._hosts.append((process, host))

    def carry(self, sender: Process, feed: str, batch: bytes, told: asyncio.Future[bytes]) -> None:
        """Bring a batch to the process that keeps the view, and its answer back."""
        rates, chance, view = self._conditions.rates, self._chance, self.views[feed]
        receiver = view.current
        if view.former and chance.happens(0.3):  # who has not heard of the newer one
            receiver = view.former[-1]
        lost = rates.drop > 0 and chance.happens(rates.drop)

        def fails() -> None:
            self._loop.later_in(sender, LOST_US, _refuse, told)

        def arrives(answers: bool) -> None:
            answer = None if receiver is None else self._apply(view, receiver, batch)
            if not answers:
                return
            if answer is None or lost:
                fails()
            else:
                self._loop.later_in(sender, self._delay_us(), _tell, told, answer)

        if rates.duplicate > 0 and chance.happens(rates.duplicate):
            self._loop.world_later(self._delay_us(), arrives, False)
        if lost and chance.happens(0.5):
            fails()
        else:
            self._loop.world_later(self._delay_us(), arrives, True)

    def _delay_us(self) -> int:
        rates = self._conditions.rates
        us = rates.network_min_us + self._chance.exponential_us(rates.network_mean_us)
        return us * 20 if rates.reorder > 0 and self._chance.happens(rates.reorder) else us

    # ---- processes ------------------------------------------------------------------------------
    def _open(self, name: str) -> None:
        """Start a process for a view, and tell the hosts."""
        view = self.views[name]
        view.openings += 1
        process = self._loop.process(f"view {name}.{view.openings}")
        generation = f"file {view.files}"
        view.current = process.run(Opening, process, view.uri, view.component, generation)
        self._trace(f"{process.name}: keeps {generation}")
        for host_process, host in self._hosts:
            self._loop.call_in(host_process, _begin_again, host, name)

    def _apply(self, view: SimulatedView, opening: Opening, batch: bytes) -> bytes | None:
        """Have a process take a batch; None where it dies, or has died."""
        if not opening.process.alive:
            return None
        rates, chance = self._conditions.rates, self._chance
        dies = rates.view_dies > 0 and chance.happens(rates.view_dies)
        fails = not dies and rates.commit_fails > 0 and chance.happens(rates.commit_fails)
        opening.connection.fails = fails
        opening.connection.left = chance.integer(0, STATEMENTS) if dies or fails else -1
        name = opening.process.name
        try:
            answer = opening.process.run(opening.apply, batch)
        except ViewDies:
            self._trace(f"{name}: dies in the midst of {zlib.crc32(batch):08x}")
            self._died(view, opening)
            return None
        self._trace(f"{name}: {zlib.crc32(batch):08x}, answers {zlib.crc32(answer):08x}")
        if dies:
            self._trace(f"{name}: dies before it is told")
            self._died(view, opening)
            return None
        return answer

    def _died(self, view: SimulatedView, opening: Opening) -> None:
        opening.process.kill()
        opening.close()
        if opening in view.former:
            view.former.remove(opening)
        if opening is not view.current:
            return
        view.current = None
        rates, chance = self._conditions.rates, self._chance
        if chance.happens(rates.view_lost):
            for former in view.former:
                former.process.kill()
                former.close()
            view.former.clear()
            view.lose()
            self._trace(f"{opening.process.name}: takes its file along")
        delay_us = rates.restart_min_us + chance.exponential_us(rates.restart_mean_us)
        self._loop.world_later(delay_us, self._open, view.component.component_id)

    def mistake(self, number: int, length_us: int) -> None:
        """Take a view's process for dead, while it goes on for so long.

        Args:
            number: of the view, counted around.
            length_us: how long.
        """
        if not self.views:
            return
        name = list(self.views)[number % len(self.views)]
        view = self.views[name]
        if view.current is None:
            return
        former = view.current
        view.former.append(former)
        self._trace(f"{former.process.name}: is taken for dead")
        self._open(name)
        self._loop.world_later(length_us, self._end_former, view, former)

    def _end_former(self, view: SimulatedView, former: Opening) -> None:
        if former in view.former:
            view.former.remove(former)
            former.process.kill()
            former.close()

    def heal(self) -> None:
        """Nobody who was taken for dead lives on."""
        for view in self.views.values():
            for former in list(view.former):
                self._end_former(view, former)

    def end(self) -> None:
        """Kill all, and let go of their files."""
        for view in self.views.values():
            view.end()


class SimulatedTarget:
    """A `FeedTarget` over the network.

    Args:
        views: that it leads to.
        process: of the host.
    """

    def __init__(self, views: SimulatedViews, process: Process) -> None:
        self._views = views
        self._process = process

    async def apply(self, feed: str, batch: bytes, /) -> bytes:
        """Take a batch.

        Raises:
            ConnectionError: nobody knows what became of it.
        """
        told: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._views.carry(self._process, feed, batch, told)
        return await told


def _new_file() -> tuple[str, sqlite3.Connection]:
    """A database in memory, and who keeps it there."""
    uri = f"file:simulated-view-{next(_NUMBERS)}?mode=memory&cache=shared"
    return uri, sqlite3.connect(uri, uri=True)


def _tell(told: asyncio.Future[bytes], answer: bytes) -> None:
    if not told.done():
        told.set_result(answer)


def _refuse(told: asyncio.Future[bytes]) -> None:
    if not told.done():
        told.set_exception(ConnectionError("nobody knows what became of a batch"))


def _begin_again(host: ShardHost, view: str) -> None:
    if host.feeds is not None:
        host.feeds.begin_again(view)


def _failing(component: ComponentDescriptor, fails: Callable[[], bool]) -> ComponentDescriptor:
    """A view some of whose handlers fail now and then."""
    view = component.view
    assert view is not None, "the component is a view"

    def wrapped(handler: TableHandler) -> TableHandler:
        return msgspec.structs.replace(handler, fn=partial(_call, handler.fn, fails))

    tables = {
        name: msgspec.structs.replace(
            table,
            handlers=tuple(wrapped(one) for one in table.handlers),
            on_delete=None if table.on_delete is None else wrapped(table.on_delete),
        )
        for name, table in view.tables.items()
    }
    made: ViewDescriptor = msgspec.structs.replace(view, tables=tables)
    return msgspec.structs.replace(component, view=made)


def _call(fn: Callable[..., Any], fails: Callable[[], bool], *args: Any) -> Any:
    if fails():
        raise DeliveryFails("as it was drawn")
    return fn(*args)
