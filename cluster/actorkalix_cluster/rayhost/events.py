"""What the controller tells the run process: bytes of these structs."""

from __future__ import annotations

from typing import Literal

import msgspec


class HostServes(msgspec.Struct, frozen=True, tag="serves"):
    """A host serves a store.

    Attributes:
        store: its number.
        pid: of the host's process.
        facts: that it gave.
        away_s: since the host before it was seen to have ended; 0 for the first one.
    """

    store: int
    pid: int
    facts: bytes
    away_s: float


class HostDied(msgspec.Struct, frozen=True, tag="died"):
    """A host ended unasked: its store, process id, the reason, and how many of it did lately."""

    store: int
    pid: int
    reason: str
    deaths: int


class HostDrains(msgspec.Struct, frozen=True, tag="drains"):
    """A host was asked to stop and finishes what is in flight."""

    store: int
    pid: int


class StoreFenced(msgspec.Struct, frozen=True, tag="fenced"):
    """Nobody opens a store any more: why, and the error's page where there is one."""

    store: int
    reason: str
    number: str


class Ending(msgspec.Struct, frozen=True, tag="ending"):
    """Why nothing is kept alive any more.

    Attributes:
        cause: `stopped` as asked and drained; `cut` as asked, without the rest of the drain;
            `refused` by the hosts, for a reason that stays; `dying` again and again; `ray` ended.
        message: for the user; "" when it stopped as asked.
        number: of the error's page, where there is one.
    """

    cause: Literal["stopped", "cut", "refused", "dying", "ray"]
    message: str = ""
    number: str = ""


FleetEvent = HostServes | HostDied | HostDrains | StoreFenced | Ending


class Numbered(msgspec.Struct, frozen=True):
    """An event with its place in the controller's row: 1 and up."""

    number: int
    event: FleetEvent
