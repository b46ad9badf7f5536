"""Several hosts on one node: each has a core to gain, and pays with hops to the others."""

from __future__ import annotations

from .load import Load, drawn, load
from .rows import Row, Setting, rate_row
from .serving import BODY, commands, service


def hosts(setting: Setting) -> list[Row]:
    """Durable commands over HTTP by number of hosts.

    One number after the other, not in turn: hosts that only stand by would share the cores.
    """
    requests = commands(setting.keys)
    taken: dict[int, list[Load]] = {}
    for count in setting.hosts:
        with service(hosts=count) as port:
            load(port, setting.connections, setting.seconds, drawn(requests))  # warm
            taken[count] = [
                load(port, setting.connections, setting.seconds, drawn(requests))
                for _ in range(setting.rounds)
            ]
    first = setting.hosts[0]
    return [
        rate_row(
            f"durable command over HTTP, {_hosts(count)}",
            loads,
            _hosts(first) if count != first else "",
            taken[first] if count != first else (),
            payload_bytes=len(BODY),
        )
        for count, loads in taken.items()
    ]


def _hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"
