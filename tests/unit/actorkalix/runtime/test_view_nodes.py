"""Where a view is made: on a node that is meant for views, else where the service is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from actorkalix.runtime.loading import resolve
from actorkalix.runtime.orders import HostConfig
from actorkalix.runtime.projecting import ViewConfig
from actorkalix.runtime.view_nodes import ViewNodes
from actorkalix.runtime.view_whereabouts import far_node
from actorkalix.views.files import folder_of
from actorkalix_cluster.rayhost.actors import Making
from actorkalix_cluster.rayhost.nodes import Node
from tests.unit.actorkalix.runtime import shop

OWN = Node("id-own", "127.0.0.1", frozenset(("CPU",)))
VIEWS = frozenset(("CPU", "views"))


class Places:
    """Nodes, and the places of a view on them."""

    def __init__(self, folder: Path, *others: Node) -> None:
        self.folder = folder / "views"
        self.nodes = [OWN, *others]
        making = Making("p/", "n", "scratch", "handover", b"", node=OWN.id)
        spec = resolve(f"{shop.__file__}:service", None)
        config = HostConfig(spec, making=making, view_nodes="views")
        self.places = ViewNodes(config, self.folder, "carts", self._nodes)

    async def _nodes(self) -> list[Node]:
        return self.nodes

    def next(self) -> tuple[str, ViewConfig]:
        """Node of the next process, which begins there."""
        where = asyncio.run(self.places.where())
        self.places.settled(where.node or OWN.id)
        return where.node, msgspec.msgpack.decode(where.config, type=ViewConfig)


def test_it_goes_where_the_resource_is_and_comes_back_when_that_is_gone(tmp_path: Path) -> None:
    places = Places(tmp_path, Node("id-1", "attic", VIEWS), Node("id-2", "cellar"))
    node, config = places.next()
    assert (node, config.folder, config.fresh) == ("id-1", f"{tmp_path}/views@attic", True)
    assert far_node(folder_of(places.folder, "carts")) == "attic"
    places.nodes[1] = Node("id-3", "attic", VIEWS)
    node, config = places.next()
    assert (node, config.fresh) == ("id-3", False), "its disk outlives a restart of the node"
    del places.nodes[1]
    node, config = places.next()
    assert (node, config.folder, config.fresh) == ("", str(places.folder), True)
    assert places.next()[1].fresh is False


def test_one_of_several_is_chosen_and_mostly_the_same(tmp_path: Path) -> None:
    others = [Node(f"id-{name}", name, VIEWS) for name in ("a", "b", "c")]
    places = Places(tmp_path, *others)
    chosen, _ = places.next()
    places.nodes.reverse()
    assert places.next()[0] == chosen
    places.nodes = [one for one in places.nodes if one.id in (chosen, OWN.id)]
    assert places.next()[0] == chosen


def test_the_services_own_node_may_be_meant_for_views_too(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.nodes = [Node(OWN.id, OWN.name, VIEWS)]
    node, config = places.next()
    assert (node, config.folder, config.fresh) == ("", str(places.folder), False)
