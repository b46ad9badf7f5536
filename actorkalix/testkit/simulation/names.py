"""Names of what runs in a simulation: the same in every process, on every machine.

`repr` will not do: it has addresses, and a task's own name counts all tasks that there ever were.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any, TypeGuard


def name_of_task(task: asyncio.Task[Any]) -> str:
    """The coroutine that a task runs."""
    coroutine: Any = task.get_coro()
    return str(getattr(coroutine, "__qualname__", type(coroutine).__qualname__))


def name_of(callback: Callable[..., object] | None) -> str:
    """A callback; None is one that was cancelled."""
    if callback is None:
        return "a cancelled call"
    while isinstance(callback, functools.partial):
        callback = callback.func
    owner = getattr(callback, "__self__", None)
    if _is_task(owner):
        return f"a step of {name_of_task(owner)}"
    return str(getattr(callback, "__qualname__", type(callback).__qualname__))


def line_of_failure(context: dict[str, Any]) -> str:
    """A failure, as asyncio tells it to exception handlers: what, whose, and where."""
    parts = [str(context.get("message") or "a failure")]
    task = context.get("task") or context.get("future")
    if _is_task(task):
        parts.append(f"{task.get_name()}, {name_of_task(task)}")
    error = context.get("exception")
    if isinstance(error, BaseException):
        said = f": {error}" if str(error) else ""
        parts.append(f"{type(error).__name__}{said}{_place_of(error)}")
    return ": ".join(parts)


def _is_task(thing: object) -> TypeGuard[asyncio.Task[Any]]:
    return isinstance(thing, asyncio.Task)


def _place_of(error: BaseException) -> str:
    """Where it was raised, e.g. " (router.py:120)"."""
    where = error.__traceback__
    if where is None:
        return ""
    while where.tb_next is not None:
        where = where.tb_next
    file = where.tb_frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2]
    return f" ({file}:{where.tb_lineno})"
