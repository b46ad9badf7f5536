"""Durable commands and queries over HTTP, beside an empty handler on the same server stack."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from .load import Load, drawn, load
from .rows import Row, Setting, at_least, at_most, latency_row, rate_row
from .serving import BODY, commands, empty_server, queries, service

WARM_S_MAX = 1.0


@contextlib.contextmanager
def _both(setting: Setting) -> Generator[tuple[int, int]]:
    """Ports of the service and of the empty handler; entities live, code compiled."""
    with service() as served, empty_server() as empty:
        for requests in (commands(setting.keys), queries(setting.keys)):
            load(served, 32, min(setting.seconds, WARM_S_MAX), drawn(requests))
        load(empty, 32, min(setting.seconds, WARM_S_MAX), drawn(commands(setting.keys)))
        yield served, empty


def _in_turn(
    setting: Setting,
    connections: int,
    mine: tuple[int, list[bytes]],
    other: tuple[int, list[bytes]],
) -> tuple[list[Load], list[Load]]:
    """Loads of (port, requests), round by round: ours and the other."""
    taken: tuple[list[Load], list[Load]] = ([], [])
    for _ in range(setting.rounds):
        for loads, (port, requests) in zip(taken, (mine, other), strict=True):
            loads.append(load(port, connections, setting.seconds, drawn(requests)))
    return taken


def http_command(setting: Setting) -> list[Row]:
    """Durable commands on many connections, spread over the keys."""
    requests = commands(setting.keys)
    with _both(setting) as (served, empty):
        taken = _in_turn(setting, setting.connections, (served, requests), (empty, requests))
    return [
        rate_row(
            "durable command over HTTP",
            taken[0],
            "empty handler",
            taken[1],
            payload_bytes=len(BODY),
            targets=(at_least(0.50, "ratio"),),
        )
    ]


def http_latency(setting: Setting) -> list[Row]:
    """The same on one connection: how long one caller waits."""
    requests = commands(setting.keys)
    with _both(setting) as (served, empty):
        taken = _in_turn(setting, 1, (served, requests), (empty, requests))
    return [
        latency_row(
            "durable command over HTTP",
            taken[0],
            "empty handler",
            taken[1],
            payload_bytes=len(BODY),
            targets=(at_most(4, "ratio"),),
        )
    ]


def http_hot_key(setting: Setting) -> list[Row]:
    """Everybody wants the same entity."""
    with _both(setting) as (served, _):
        hot, spread = (served, commands(1)), (served, commands(setting.keys))
        taken = _in_turn(setting, setting.connections, hot, spread)
    return [
        rate_row(
            "durable command over HTTP, one hot key",
            taken[0],
            f"spread over {setting.keys:,} keys",
            taken[1],
            payload_bytes=len(BODY),
            targets=(at_least(0.9, "ratio"),),
        )
    ]


def http_query(setting: Setting) -> list[Row]:
    """Queries of live entities; the empty handler is asked by GET as well."""
    requests = queries(setting.keys)
    with _both(setting) as (served, empty):
        taken = _in_turn(setting, setting.connections, (served, requests), (empty, requests))
    return [
        rate_row(
            "query of a live entity over HTTP",
            taken[0],
            "empty handler",
            taken[1],
            durable=None,
            unit="queries/s",
            targets=(at_least(0.75, "ratio"),),
        )
    ]
