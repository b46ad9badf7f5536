"""Exit codes by error number."""

from __future__ import annotations

import pytest

from actorkalix.cli.exits import Exit, exit_of
from actorkalix.errors import catalog

EXPECTED = {
    "AK1001": Exit.USAGE,
    "AK1003": Exit.USAGE,
    "AK2002": Exit.USAGE,
    "AK2003": Exit.FINDING,
    "AK2005": Exit.USAGE,
    "AK3001": Exit.FAILURE,
    "AK4001": Exit.FINDING,
    "AK4002": Exit.FINDING,
    "AK4003": Exit.PLACE,
    "AK4004": Exit.PLACE,
    "AK4005": Exit.PLACE,
    "AK4006": Exit.PLACE,
    "AK4007": Exit.PLACE,
    "AK4008": Exit.FINDING,
    "AK4009": Exit.FAILURE,
    "AK4010": Exit.FAILURE,
    "AK5001": Exit.PLACE,
    "AK5002": Exit.FAILURE,
    "AK5003": Exit.USAGE,
    "AK9001": Exit.FAILURE,
}


@pytest.mark.parametrize("number, code", EXPECTED.items())
def test_each_kind_of_error_has_its_code(number: str, code: Exit) -> None:
    assert exit_of(catalog()[number]("...")) is code


def test_no_error_is_a_success() -> None:
    assert all(exit_of(error("...")) is not Exit.OK for error in catalog().values())
