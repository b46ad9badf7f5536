"""Whether a service can answer all that is asked of it, judged by its processes."""

from __future__ import annotations

from datetime import timedelta

from actorkalix.ports import FleetView, HostView


def unready(fleet: FleetView, unready_after: timedelta) -> list[str]:
    """Why it cannot; nothing when it can.

    Args:
        fleet: the processes.
        unready_after: a host whose loop is held that long by a handler is not ready
            (`Limits.handler_unready`).
    """
    if not fleet.hosts:
        return ["no host has started yet"]
    reasons = (_reason(host, unready_after) for host in fleet.hosts)
    return [reason for reason in reasons if reason]


def _reason(host: HostView, unready_after: timedelta) -> str:
    if host.state != "serving":
        return f"store {host.store} is {host.state}{f': {host.reason}' if host.reason else ''}"
    held = timedelta(milliseconds=host.held_ms)
    if held < unready_after:
        return ""
    by = host.held_by or "something"
    return f"store {host.store}: {by} has held its host for {held.total_seconds():.1f} s"
