"""What a host and its actors say to each other of what is due: plain values, see `firing`."""

from __future__ import annotations

import msgspec

from actorkalix_cluster.shardhost.messages import Failure, Message

TIMER = "~timer"
"""Component id of named timers; users' ids begin with a letter."""

FIRED = "fired"
"""Method (of a CONTROL) that tells an actor what became of what it had given out."""


class Firing(msgspec.Struct, frozen=True, array_like=True):
    """Reply to EXPIRE of an actor whose time has come, where something is to be done.

    Attributes:
        message: the call.
        token: names this firing, for `Outcome`.
        look_ms: the actor is asked again at that time if the call is not answered by then; 0 is
            never.
    """

    message: Message
    token: bytes
    look_ms: int = 0


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What became of a firing: the payload of `FIRED`.

    Attributes:
        token: of the firing.
        failure: of its call.
        payload: else the call's value.
        began_ms: when the call was made.
    """

    token: bytes
    failure: Failure | None = None
    payload: bytes = b""
    began_ms: int = 0


class Settled(msgspec.Struct, frozen=True, array_like=True):
    """Reply to `FIRED`.

    Attributes:
        due_ms: when the timer is due next, 0 when it is gone.
        attempt: which attempt of the firing has failed, from 1; 0 when none has.
        given_up: there will be no other attempt of it.
        dropped: the token was of one that is replaced or gone.
    """

    due_ms: int = 0
    attempt: int = 0
    given_up: bool = False
    dropped: bool = False
