"""`actorkalix version`."""

from __future__ import annotations

import platform
from collections.abc import Callable

import pytest

from tests.unit.actorkalix.cli.ran import Ran


@pytest.mark.parametrize("typed", ["version", "--version"])
def test_the_versions_in_one_line(cli: Callable[..., Ran], typed: str) -> None:
    ran = cli(typed)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("actorkalix ")
    assert f"Python {platform.python_version()}" in ran.out


def test_as_json(cli: Callable[..., Ran]) -> None:
    assert set(cli("version", "--json").document) == {"actorkalix", "ray", "python"}
