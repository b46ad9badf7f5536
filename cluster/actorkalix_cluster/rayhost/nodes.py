"""Nodes of the Ray cluster that a run is on."""

from __future__ import annotations

from typing import Any

from actorkalix_cluster.rayhost.launch import module


def this_node() -> str:
    """Id of the node of this process, "" where it is no process of Ray's."""
    ray = module("ray")
    if not ray.is_initialized():
        return ""
    context: Any = ray.get_runtime_context()
    return str(context.get_node_id())
