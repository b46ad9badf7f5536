"""Development mode: finds handlers that wait, and handlers that change a state in place.

Both work on a developer's machine and fail under load: a handler that waits holds up every entity
of its host, and one that changes its state in place shows to others what is not stored. Kits and
`actorkalix run --dev` look for them around each handler; it costs time, so a plain run does not.

Waiting is seen by Python's audit hook (PEP 578), installed once a process for it cannot be taken
out again. It looks at one variable of its thread, which is set while a handler runs; outside of
handlers nothing changes. What the handler does with the error is not trusted: one that swallows it
has waited all the same. `time.sleep` tells no hook before Python 3.13, so one that does is put in
its place there, in all modules that have imported it. Not seen, because nothing tells of them:
locks, and data on sockets that were connected before. The watchdog names those in every mode.

A change in place is seen by comparing the state's bytes before and after.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from actorkalix.errors import HandlerWaits
from actorkalix_cluster.shardhost.behavior import (
    Around,
    Behavior,
    BehaviorError,
    Step,
    image_of,
)
from actorkalix_cluster.shardhost.messages import Message
from actorkalix_storage.api import History

_WAITS = {
    "time.sleep": "called time.sleep",
    "socket.__new__": "made a socket",
    "socket.connect": "connected a socket",
    "socket.getaddrinfo": "looked up a host name",
    "socket.gethostbyname": "looked up a host name",
    "subprocess.Popen": "started a process",
    "os.system": "started a process",
}
"""Audit events that a handler must not cause, and how they are called."""


class StateChangedInPlace(AssertionError):
    """A handler changed the state that it was given instead of making a new one."""


class _Here(threading.local):
    """What runs on this thread, "" outside of handlers, and what it was caught at."""

    running: str = ""
    caught: HandlerWaits | None = None


_here = _Here()


def forbid_waiting() -> None:
    """From now on, a handler of a `development` behavior that waits gets `HandlerWaits`."""
    _install_hook()
    if sys.version_info < (3, 13):
        _tell_of_sleep()


class _Sleep:
    """`time.sleep`, with the audit event that Python 3.13 raises."""

    def __init__(self, real: Callable[[float], None]) -> None:
        self._real = real

    def __call__(self, seconds: float, /) -> None:
        sys.audit("time.sleep", seconds)
        self._real(seconds)


@cache
def _install_hook() -> None:
    sys.addaudithook(_audit)


def _tell_of_sleep() -> None:
    real = vars(time)["sleep"]
    if not isinstance(real, _Sleep):
        telling = _Sleep(real)
        for module in list(sys.modules.values()):
            _replace(module, real, telling)


def _replace(module: object, real: object, instead: object) -> None:
    if isinstance(module, ModuleType):  # anything may stand in sys.modules
        names: dict[str, Any] = object.__getattribute__(module, "__dict__")  # loads no lazy ones
        for name in [name for name, value in list(names.items()) if value is real]:
            names[name] = instead


def development(
    behavior: Behavior[Any], tell: Callable[[Exception], object] | None = None
) -> Behavior[Any]:
    """The behavior, watched; for `build_host(wrap=development)`.

    Args:
        behavior: does the work.
        tell: gets what was found, before it is raised; a host answers with no more than an id.
    """
    forbid_waiting()
    return DevelopmentBehavior(behavior, tell)


class _Watched:
    """While something runs on this thread it must not wait; what it was caught at is told."""

    __slots__ = ("_found", "_outer", "_what")

    def __init__(self, what: str, found: Callable[[Exception], object]) -> None:
        self._what = what
        self._found = found

    def __enter__(self) -> None:
        self._outer, _here.running = _here.running, self._what

    def __exit__(self, *_: object) -> None:
        _here.running = self._outer
        caught, _here.caught = _here.caught, None
        if caught is not None:
            self._found(caught)


class DevelopmentBehavior(Around[Any]):
    """A behavior whose handlers may neither wait nor change a state in place.

    What is found is raised: a host logs it, answers with a correlation id (ES-82) and rebuilds the
    instance.
    """

    def __init__(self, behavior: Behavior[Any], tell: Callable[[Exception], object] | None) -> None:
        super().__init__(behavior)
        self._tell = tell
        self._image = image_of(behavior)

    def empty(self, entity: str) -> Any:
        """As the behavior does.

        Raises:
            HandlerWaits: the user's code waited.
        """
        with self._no_waiting(f"the empty state of {entity!r}"):
            return self._behavior.empty(entity)

    def restore(self, entity: str, history: History) -> Any:
        """As the behavior does.

        Raises:
            HandlerWaits: the user's code waited.
        """
        with self._no_waiting(f"the load of {entity!r}"):
            return self._behavior.restore(entity, history)

    def step(self, instance: Any, message: Message, now_ms: int) -> Step[Any]:
        """As the behavior does.

        Raises:
            HandlerWaits: the handler waited.
            StateChangedInPlace: the instance is not what it was.
        """
        method = message.method or message.kind.name.lower()
        handler = f"{message.component} {message.entity!r}.{method}"
        before = self._behavior.snapshot(instance).payload
        try:
            with self._no_waiting(handler):
                step = self._behavior.step(instance, message, now_ms)
        except BehaviorError:  # the instance would live on
            self._compare(handler, before, instance)
            raise
        self._compare(handler, before, instance)
        return step

    def _no_waiting(self, what: str) -> _Watched:
        return _Watched(what, self._found)

    def _compare(self, handler: str, before: bytes, instance: Any) -> None:
        if self._image(instance) != before:
            self._found(
                StateChangedInPlace(
                    f"{handler} changed the state in place; make a new one (dataclasses.replace) "
                    "and hand it to an effect"
                )
            )

    def _found(self, error: Exception) -> None:
        if self._tell is not None:
            self._tell(error)
        raise error


def _audit(event: str, args: tuple[Any, ...]) -> None:
    did = _WAITS.get(event)
    if did is None or not _here.running:
        return
    _here.caught = HandlerWaits(
        f"{_here.running} {did}: a handler that waits holds up every entity of its host; do it in "
        "an action and send the result to the entity (actorkalix explain AK2015)"
    )
    raise _here.caught
