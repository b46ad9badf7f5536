"""Processes beside the hosts as operators see them: of views, and of dedicated entities."""

from __future__ import annotations

from typing import Literal

import msgspec

ProcessKind = Literal["view", "dedicated"]


class ProcessView(msgspec.Struct, frozen=True):
    """A process that a host keeps.

    Attributes:
        kind: what it is for.
        component: the view, or the component of the entity.
        entity: that lives there, "" for a view.
        state: `starting` until it can be asked, then `serving`; `away` when there is none.
        pid: of the process on its node, 0 while there is none.
        node: id of that node, as Ray has it; "" while it is not known.
        memory_bytes: resident, 0 where it cannot be seen from here.
        cpu_s: seconds of processor time since it began.
        store: whose host keeps it.
        deaths: of a view's process, since that host began.
    """

    kind: ProcessKind
    component: str
    entity: str
    state: Literal["starting", "serving", "away"]
    pid: int
    node: str
    memory_bytes: int
    cpu_s: float
    store: int
    deaths: int = 0


class DedicatedUse(msgspec.Struct, frozen=True):
    """Processes of a component's entities that a host keeps.

    Attributes:
        component: its id.
        starting, serving: how many there are.
        memory_bytes: resident, of those on the host's node.
        cpu_s: seconds of processor time, of those that have ended too.
        started, deaths: since the host began; a death is an end that nobody wanted.
    """

    component: str
    starting: int
    serving: int
    memory_bytes: int
    cpu_s: float
    started: int
    deaths: int
