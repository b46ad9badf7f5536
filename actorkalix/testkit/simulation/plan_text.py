"""Plans as one word, to be pasted into a test: what it takes to see a run again, and no more.

A word is base64 of deflated JSON in which what has its usual value is left out. It is no format for
keeps: it is read by the version that wrote it, and a plan that is to stay is a file.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any

import msgspec

from .faults import Faults
from .plan import Call, Plan

PLAN_BYTES_MAX = 16 << 20
_RATES = msgspec.structs.asdict(Faults.none())


def text_of(plan: Plan) -> str:
    """The plan as a word."""
    made = {
        **msgspec.structs.asdict(plan),
        "calls": [_without(call, _call_defaults()) for call in plan.calls],
        "rates": _without(plan.rates, _RATES),
    }
    return base64.urlsafe_b64encode(zlib.compress(msgspec.json.encode(made), 9)).decode()


def plan_of(text: str) -> Plan:
    """The plan that a word stands for.

    Raises:
        ValueError: it stands for none, or was cut.
    """
    try:
        packed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        unpacked = zlib.decompressobj().decompress(packed, PLAN_BYTES_MAX)
        found: dict[str, Any] = msgspec.json.decode(unpacked, type=dict[str, Any])
        found["rates"] = {**_RATES, **found.get("rates", {})}
        return msgspec.convert(found, Plan)
    except (ValueError, TypeError, binascii.Error, zlib.error) as problem:
        raise ValueError(
            f"plan={text[:20]!r}… is none ({problem}); copy all of the word that a failure printed"
        ) from problem


def _without(value: Call | Faults, usual: dict[str, Any]) -> dict[str, Any]:
    """Fields that have not their usual values."""
    fields = msgspec.structs.asdict(value)
    return {name: each for name, each in fields.items() if usual.get(name, ...) != each}


def _call_defaults() -> dict[str, Any]:
    fields = msgspec.structs.fields(Call)
    return {field.name: field.default for field in fields if not field.required}
