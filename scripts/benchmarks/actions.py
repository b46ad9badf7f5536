"""Actions over HTTP: as Ray tasks beside bare ones, and inline beside an empty handler."""

from __future__ import annotations

from typing import Any

from .load import Load, drawn, load, post
from .plain_ray import bare_tasks, ray_here
from .rows import Row, Setting, at_least, at_most, latency_row, rate_row
from .serving import BODY, empty_server, service

WARM_S_MAX = 1.0
SERVICE = "action_service.py"


def _request(action: str) -> list[bytes]:
    return [post(f"/{action}/same", BODY)]


def action_task(setting: Setting) -> list[Row]:
    """An action as Ray tasks: what one caller waits, and how many calls many callers get done.

    The bare tasks are Ray's alone, sent and awaited by one process, one task a call.
    """
    with ray_here() as ray, service(file=SERVICE) as port:
        rows = [_in_turn(ray, port, setting, callers) for callers in (1, setting.connections)]
    (one, bare_one), (many, bare_many) = rows
    return [
        latency_row(
            "action as a Ray task, over HTTP",
            one,
            "bare Ray task",
            bare_one,
            targets=(at_most(1.5, "ratio"),),
            durable=None,
            payload_bytes=len(BODY),
        ),
        rate_row(
            "action as Ray tasks, over HTTP",
            many,
            "a bare Ray task each",
            bare_many,
            targets=(at_least(5, "ratio"),),
            durable=None,
            payload_bytes=len(BODY),
            unit="calls/s",
        ),
    ]


def _in_turn(ray: Any, port: int, setting: Setting, callers: int) -> tuple[list[Load], list[Load]]:
    """Loads round by round: ours over HTTP, and bare tasks."""
    make = drawn(_request("tasks"))
    taken: tuple[list[Load], list[Load]] = ([], [])
    warm_s = min(setting.seconds, WARM_S_MAX)
    load(port, callers, warm_s, make)
    bare_tasks(ray, callers, warm_s)
    for _ in range(setting.rounds):
        taken[0].append(load(port, callers, setting.seconds, make))
        taken[1].append(bare_tasks(ray, callers, setting.seconds))
    return taken


def action_inline(setting: Setting) -> list[Row]:
    """An action on the host's loop, beside an empty handler on the same server stack."""
    with service(file=SERVICE) as port, empty_server() as empty:
        mine: list[Load] = []
        others: list[Load] = []
        sides = ((mine, port, "inline/same"), (others, empty, "counter/k0/add"))
        for _, served, path in sides:
            make = drawn([post(f"/{path}", BODY)])
            load(served, setting.connections, min(setting.seconds, WARM_S_MAX), make)
        for _ in range(setting.rounds):
            for loads, served, path in sides:
                make = drawn([post(f"/{path}", BODY)])
                loads.append(load(served, setting.connections, setting.seconds, make))
    return [
        rate_row(
            "inline action over HTTP",
            mine,
            "empty handler",
            others,
            targets=(at_least(0.6, "ratio"),),
            durable=None,
            payload_bytes=len(BODY),
            unit="calls/s",
        )
    ]
