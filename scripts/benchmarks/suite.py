"""All benchmarks by name, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .actions import action_inline, action_task
from .dedicated import dedicated
from .deliveries import subscriptions, topics
from .entities import entities, entities_cold, entities_rate, entities_start
from .group_commit import group_commit, in_process_command
from .growth import log_growth
from .hops import host_hop
from .hosts import hosts
from .http import http_command, http_hot_key, http_latency, http_query
from .large import large_states
from .memory import idle_memory
from .overload import overload
from .replay import replayed
from .rows import Result, Setting
from .simulation import simulated
from .storm import activation_storm
from .timers import timers
from .views import view_lag, view_query, view_rebuild, view_rows
from .workflows import workflow_memory, workflow_recovery, workflows

SUITE: dict[str, Callable[[Setting], Sequence[Result]]] = {
    "http-command": http_command,
    "http-latency": http_latency,
    "http-hot-key": http_hot_key,
    "http-query": http_query,
    "in-process": in_process_command,
    "host-hop": host_hop,
    "hosts": hosts,
    "overload": overload,
    "action-task": action_task,
    "action-inline": action_inline,
    "dedicated": dedicated,
    "idle-memory": idle_memory,
    "entities-start": entities_start,
    "entities-cold": entities_cold,
    "entities-rate": entities_rate,
    "activation-storm": activation_storm,
    "replay": replayed,
    "timers": timers,
    "workflows": workflows,
    "workflow-memory": workflow_memory,
    "workflow-recovery": workflow_recovery,
    "subscriptions": subscriptions,
    "topics": topics,
    "log-growth": log_growth,
    "large-states": large_states,
    "simulation": simulated,
    "view-rebuild": view_rebuild,
    "view-lag": view_lag,
    "view-query": view_query,
    "view-rows": view_rows,
    "group-commit": group_commit,
    "entities": entities,
}
"""The last two give points of curves, which a report draws; all others rows of its table."""
