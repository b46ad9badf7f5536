"""Where the instances of an entity run: a class option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

IDLE_STOP = timedelta(minutes=5)
"""A start takes a second or two, and what the process holds meanwhile nobody else can use."""


@dataclass(frozen=True, kw_only=True)
class Dedicated:
    """Gives each live instance of an entity a Ray actor of its own: `hosting=Dedicated(...)`.

    For handlers that need a GPU, much memory or other packages, or that compute for long (up to
    `Limits.handler_hang`): they hold up nobody but their own instance. Log, mailbox and replies
    stay where they are for every entity, so guarantees and behaviour are the same; a command takes
    some milliseconds longer, a first one a second or two. When no node has what it needs, its
    callers are answered 503 with Retry-After, at the latest after `Limits.dedicated_start`.

    Attributes:
        num_cpus: that Ray sets aside for each instance, 0 and up.
        num_gpus: likewise.
        memory: bytes, likewise; None sets none aside.
        runtime_env: packages, variables and the like of its process, as Ray has them.
        idle_stop: the process of an instance is stopped when nothing was asked of it for so long;
            sooner where another instance waits for room.
    """

    num_cpus: float = 1
    num_gpus: float = 0
    memory: int | None = None
    runtime_env: Mapping[str, Any] | None = None
    idle_stop: timedelta = IDLE_STOP
