"""What a host and its named timers say to each other: plain values, see `firing`."""

from __future__ import annotations

import msgspec

from actorkalix_cluster.shardhost.messages import Failure, Message

TIMER = "~timer"
"""Component id of named timers; users' ids begin with a letter."""

FIRED = "fired"
"""Method that tells a timer what became of its call."""


class Firing(msgspec.Struct, frozen=True, array_like=True):
    """Reply to EXPIRE of a timer whose time has come.

    Attributes:
        message: the call.
        token: names this firing, for `Outcome`.
    """

    message: Message
    token: bytes


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What became of a firing: the payload of `FIRED`."""

    token: bytes
    failure: Failure | None = None


class Settled(msgspec.Struct, frozen=True, array_like=True):
    """Reply to `FIRED`.

    Attributes:
        due_ms: when the timer is due next, 0 when it is gone.
        attempt: which attempt of the firing has failed, from 1; 0 when none has.
        given_up: there will be no other attempt of it.
        dropped: the token was of a timer that is replaced or gone.
    """

    due_ms: int = 0
    attempt: int = 0
    given_up: bool = False
    dropped: bool = False
