"""What may be an entity id, an idempotency key, the name of a timer, topic or promise."""

from __future__ import annotations

import re

from actorkalix.errors import InvalidEntityId, InvalidIdempotencyKey, InvalidTimer
from actorkalix.limits import (
    ENTITY_ID_BYTES_MAX,
    IDEMPOTENCY_KEY_BYTES_MAX,
    TOPIC_NAME_BYTES_MAX,
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check_entity_id(entity_id: object) -> str:
    """The id itself when it has 1 to 256 bytes of UTF-8 without control characters.

    Raises:
        InvalidEntityId: it has not, or is no text (ES-02).
    """
    problem = _problem(entity_id, ENTITY_ID_BYTES_MAX)
    if problem:
        raise InvalidEntityId(f"entity id {_short(entity_id)} {problem}")
    assert isinstance(entity_id, str)
    return entity_id


def check_idempotency_key(key: object) -> str:
    """The key itself when it has 1 to 128 bytes of UTF-8 without control characters.

    Raises:
        InvalidIdempotencyKey: it has not, or is no text.
    """
    problem = _problem(key, IDEMPOTENCY_KEY_BYTES_MAX)
    if problem:
        raise InvalidIdempotencyKey(f"idempotency key {_short(key)} {problem}")
    assert isinstance(key, str)
    return key


def check_timer_name(name: object) -> str:
    """The name itself when it has 1 to 256 bytes of UTF-8 without control characters.

    Raises:
        InvalidTimer: it has not, or is no text.
    """
    problem = _problem(name, ENTITY_ID_BYTES_MAX)
    if problem:
        raise InvalidTimer(f"timer name {_short(name)} {problem}")
    assert isinstance(name, str)
    return name


def check_promise_name(name: object) -> str:
    """The name itself when it has 1 to 256 bytes of UTF-8 without control characters and "/".

    Raises:
        ValueError: it has not.
        TypeError: it is no text.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a promise is a text, got {name!r}")
    problem = _problem(name, ENTITY_ID_BYTES_MAX)
    problem = problem or ("has '/' in it" if "/" in name else "")
    if problem:
        raise ValueError(f"promise name {_short(name)} {problem}")
    return name


def check_reason(reason: object) -> str:
    """The reason itself, "" for none.

    Raises:
        ValueError: it is blank.
        TypeError: it is no text.
    """
    if not isinstance(reason, str):
        raise TypeError(f"a reason is a text, got {reason!r}")
    if reason and not reason.strip():
        raise ValueError("a blank reason says nothing: write one, or leave it out")
    return reason


def topic_problem(name: object) -> str:
    """What is wrong with a topic's name, or "": it has 1 to 128 bytes of UTF-8, no "/".

    Control characters are wrong in it as well, and so is a blank at an end, and "~" before it.
    """
    problem = _problem(name, TOPIC_NAME_BYTES_MAX)
    if problem or not isinstance(name, str):
        return problem
    if "/" in name:
        return "has '/' in it"
    if name.startswith("~"):
        return "begins with '~', as our own do"
    return "begins or ends with a blank" if name != name.strip() else ""


def stream_problem(name: object) -> str:
    """What is wrong with a stream's name, or "": as with a topic's, and it has no ":" in it."""
    problem = topic_problem(name)
    if problem or not isinstance(name, str):
        return problem
    return "has ':' in it" if ":" in name else ""


def _problem(name: object, bytes_max: int) -> str:
    if not isinstance(name, str):
        return f"is a {type(name).__name__}, not text"
    if not name:
        return "is empty"
    if _CONTROL.search(name):
        return "has control characters"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "is no valid UTF-8"
    return f"has {size} bytes, at most {bytes_max} are allowed" if size > bytes_max else ""


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
