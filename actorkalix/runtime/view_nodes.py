"""Where a view's process is made, in a cluster that has nodes for views."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from actorkalix.runtime import view_whereabouts as whereabouts
from actorkalix.runtime.orders import HostConfig
from actorkalix.runtime.projecting import ViewConfig
from actorkalix.runtime.view_whereabouts import HERE, views_on
from actorkalix.views.files import folder_of
from actorkalix_cluster.placement.keeping import node_of
from actorkalix_cluster.rayhost.companion import Where
from actorkalix_cluster.rayhost.far import nodes_there
from actorkalix_cluster.rayhost.nodes import Node

log = logging.getLogger("actorkalix.views")


class ViewNodes:
    """Places of one view: a node with the resource, by hashing; the run's own while there is none.

    Args:
        config: what the host was told to be; `view_nodes` names the resource.
        folder: of all views on the run's node.
        view: id of the view.
        nodes: lists the nodes that are there.
    """

    def __init__(
        self,
        config: HostConfig,
        folder: Path,
        view: str,
        nodes: Callable[[], Awaitable[list[Node]]] = nodes_there,
    ) -> None:
        assert config.making is not None, "a host of a run"
        self._config = config
        self._own = config.making.node
        self._folder = folder
        self._view = view
        self._nodes = nodes
        self._names: dict[str, str] = {}

    async def where(self) -> Where:
        """Where the next process is to be, and what it is made from there.

        Raises:
            OSError: the note of it cannot be written, or Ray does not say which nodes there are.
        """
        there = await self._nodes()
        self._names = {one.id: HERE if one.id == self._own else one.name for one in there}
        offered = {one.name: one for one in there if self._config.view_nodes in one.resources}
        chosen = offered.get(node_of(f"view {self._view}", offered) or "")
        name = HERE if chosen is None else self._names[chosen.id]
        folder = folder_of(self._folder, self._view)
        fresh = await asyncio.to_thread(whereabouts.begin, folder, name)
        views = self._folder if name == HERE else views_on(self._folder, name)
        if fresh:
            log.info("view %s goes to %s", self._view, name or "the node of the service")
        config = ViewConfig(self._config.spec, self._view, str(views), fresh)
        node = "" if chosen is None or name == HERE else chosen.id
        return Where(node, msgspec.msgpack.encode(config))

    def settled(self, node: str) -> None:
        """A process has begun on a node of this id, made by whichever host."""
        name = HERE if node == self._own else self._names.get(node)
        if name is not None:
            whereabouts.settle(folder_of(self._folder, self._view), name)
