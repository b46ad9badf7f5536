"""All that a process has to answer queries of a view: readers of its file, a watcher, waits."""

from __future__ import annotations

from actorkalix.describe.descriptors import ComponentDescriptor, described
from actorkalix.limits import Limits
from actorkalix.runtime.view_queries import ViewRunner
from actorkalix.runtime.view_waits import Places, Waits
from actorkalix.views.reading import Opening, ReaderPool
from actorkalix.views.watching import LOOK_EVERY_S, Watcher
from actorkalix.viewsql.functions import install
from actorkalix_cluster.shardhost.clock import Clock


class ViewDesk:
    """See the module.

    Args:
        view: its descriptor.
        opening: says which file is served.
        places: of the service's shards.
        clock: whose time deadlines are in.
        limits: of the service.
        threads: for queries; None as the limits say, 0 for none.
        look_every_s: see `Watcher`.

    Attributes:
        pool, watcher: of the file.
        runner: answers queries.
    """

    def __init__(
        self,
        view: ComponentDescriptor,
        opening: Opening,
        places: Places,
        clock: Clock,
        limits: Limits,
        *,
        threads: int | None = None,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        assert view.view is not None, "the component is a view"
        self.pool = ReaderPool(
            opening,
            threads=limits.view_threads if threads is None else threads,
            waiting_max=limits.view_queries_max,
            prepare=install,
        )
        self.watcher = Watcher(self.pool.version, look_every_s)
        stored = any(
            described(table.source) is not None or table.source.kind == "topic"
            for table in view.view.tables.values()
        )
        waits = Waits(
            view.component_id,
            self.pool,
            self.watcher,
            places,
            clock,
            limits,
            reachable=stored,
        )
        self.runner = ViewRunner(view, self.pool, self.watcher, waits, clock, limits)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.watcher.aclose()
        self.pool.close()
