"""What msgspec leaves to us: pydantic models (pydantic is never imported), and no to the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actorkalix.describe.shapes import is_model

DecodeHook = Callable[[type[Any], Any], Any]


def encode_hook(value: Any) -> Any:
    """Turn what msgspec does not know into what it does."""
    if is_model(type(value)):
        return value.model_dump(mode="json")
    raise TypeError(f"objects of type {type(value).__name__} cannot be encoded")


def decode_strict(tp: type[Any], value: Any) -> Any:
    """Make a pydantic model from what a caller sent: keys that it has not are refused."""
    return _decode(tp, value, "forbid")


def decode_stored(tp: type[Any], value: Any) -> Any:
    """Make a pydantic model from what was stored: fields that it has lost are ignored (RT-62)."""
    return _decode(tp, value, "ignore")


def _decode(tp: type[Any], value: Any, extra: str) -> Any:
    if is_model(tp):
        # As JSON: pydantic then takes strings for dates also where a model is strict.
        try:
            return tp.model_validate_json(msgspec.json.encode(value), extra=extra)
        except ValueError as problem:
            raise ValueError(_first(problem)) from problem
    if isinstance(value, tp):
        return value
    raise ValueError(f"{tp.__name__} cannot be decoded")


def _first(problem: Any) -> str:
    """The first of pydantic's errors as path and words; wording.py joins the path to its own."""
    first = problem.errors(include_url=False)[0] if hasattr(problem, "errors") else {"msg": problem}
    steps = [f"[{one}]" if isinstance(one, int) else f".{one}" for one in first.get("loc", ())]
    said = str(first["msg"])
    return f"{''.join(steps)}: {said[:1].lower()}{said[1:]}" if steps else said
