"""Nodes of the Ray cluster that a run is on."""

from __future__ import annotations

from typing import Any

import msgspec

from actorkalix_cluster.rayhost.launch import module


class Node(msgspec.Struct, frozen=True):
    """A node that is there.

    Attributes:
        id: another one after each start of it.
        name: as it was given (`ray start --node-name`), else its address.
        resources: names of what it offers.
    """

    id: str
    name: str
    resources: frozenset[str] = frozenset()


def this_node() -> str:
    """Id of the node of this process, "" where it is no process of Ray's."""
    ray = module("ray")
    if not ray.is_initialized():
        return ""
    context: Any = ray.get_runtime_context()
    return str(context.get_node_id())
