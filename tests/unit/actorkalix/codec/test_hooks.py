"""pydantic models travel like other types, and pydantic is loaded by nobody but the user."""

from __future__ import annotations

import subprocess
import sys

import pytest

from actorkalix.codec.hooks import decode_stored, decode_strict, encode_hook
from tests.unit.actorkalix.codec.samples import Line, Model


def test_models() -> None:
    assert encode_hook(Model(name="n")) == {"name": "n", "count": 0}
    assert decode_strict(Model, {"name": "n"}) == Model(name="n")


def test_unknown_fields_are_refused_from_callers_and_ignored_in_storage() -> None:
    """RT-62."""
    with pytest.raises(ValueError, match="shoe"):
        decode_strict(Model, {"name": "n", "shoe": 1})
    assert decode_stored(Model, {"name": "n", "shoe": 1}) == Model(name="n")


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="objects of type object cannot be encoded"):
        encode_hook(object())
    with pytest.raises(ValueError, match="Line cannot be decoded"):
        decode_strict(Line, {})


def test_pydantic_is_not_imported() -> None:
    program = "import sys, actorkalix, actorkalix.codec; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
