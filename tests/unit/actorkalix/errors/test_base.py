"""The roots of the tree: definition errors list their problems, domain errors have a code."""

from __future__ import annotations

from typing import cast

import pytest

from actorkalix.errors import HTTP_STATUS, Code, CommandError, DefinitionError


def test_a_definition_error_is_its_own_problem_where_none_are_listed() -> None:
    assert DefinitionError("one").problems == ("one",)
    assert DefinitionError("two in all", ("a", "b")).problems == ("a", "b")


@pytest.mark.parametrize("code", HTTP_STATUS)
def test_the_code_of_a_domain_error_decides_its_http_status(code: str) -> None:
    error = CommandError("no", code=cast("Code", code))
    assert (error.code, error.http_status) == (code, HTTP_STATUS[code])


def test_a_code_that_is_none_is_named_with_the_codes() -> None:
    with pytest.raises(ValueError, match="there is no code 'teapot'; the codes: cancelled, "):
        CommandError("no", code=cast("Code", "teapot"))
