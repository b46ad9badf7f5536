"""Actions: handlers without a state of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload

from actorkalix.model.client import Client, Timers
from actorkalix.model.component import Component
from actorkalix.model.effects import ActionEffects

_ACTION = ActionEffects()


class Action(Component):
    """Handlers without state: requests, subscriptions, timers.

    A handler is an `async def`, which awaits its calls, or a plain `def`, which may block and asks
    by `.result()`. Each message gets an object of its own (AC-01).

    Class options: `id`; `runs`, "task" for Ray tasks or "inline" for the host's event loop, where
    every handler is an `async def` and none computes for long; `timeout`, after which a handler is
    cancelled (by default `Limits.action_timeout`, 1 h); `num_cpus`, `num_gpus`, `memory` (bytes),
    `runtime_env` and `max_retries` of a task, as Ray has them; or `abstract=True` for a base of
    your own.
    """

    _asked_by: ClassVar[str] = "client.action({})"

    if TYPE_CHECKING:

        @overload
        def __init_subclass__(
            cls,
            *,
            id: str,
            runs: Literal["task", "inline"] = "task",
            num_cpus: float = 0,
            num_gpus: float = 0,
            memory: int | None = None,
            runtime_env: Mapping[str, Any] | None = None,
            max_retries: int = 0,
            timeout: timedelta | None = None,
        ) -> None: ...
        @overload
        def __init_subclass__(cls, *, abstract: Literal[True]) -> None: ...
        def __init_subclass__(cls, **options: Any) -> None: ...

    @property
    def effects(self) -> ActionEffects:
        """What it may decide where its reply carries metadata or is forwarded.

        Raises:
            RuntimeError: no handler runs.
        """
        return self._during("effects", _ACTION)

    @property
    def client(self) -> Client:
        """Calls other components.

        Raises:
            RuntimeError: no handler runs.
        """
        client: Client = self._seen("client")
        return client

    @property
    def timers(self) -> Timers:
        """Keeps calls for later.

        Raises:
            RuntimeError: no handler runs.
        """
        timers: Timers = self._seen("timers")
        return timers

    @property
    def resources(self) -> Any:
        """What `Service(resources=...)` made in this process.

        Raises:
            RuntimeError: no handler runs.
        """
        return self._seen("resources")
