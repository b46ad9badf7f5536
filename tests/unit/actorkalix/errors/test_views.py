"""Errors of views say what a caller may do."""

from __future__ import annotations

import pytest

from actorkalix import errors


@pytest.mark.parametrize(
    "error, number, status",
    [
        (errors.QueryTooLarge, "AK2031", 413),
        (errors.QueryTooSlow, "AK2032", 504),
        (errors.SubjectParked, "AK2033", 409),
        (errors.TokenUnreachable, "AK2034", 400),
        (errors.SqlRefused, "AK2035", 400),
        (errors.RowNotFound, "AK2036", 404),
        (errors.NumberTooLarge, "AK2038", 400),
        (errors.ViewBehind, "AK3011", 504),
        (errors.ViewIncomplete, "AK3012", 503),
    ],
)
def test_numbers_and_statuses(
    error: type[errors.ActorkalixError], number: str, status: int
) -> None:
    made = error("because")
    assert (made.number, made.http_status, made.outcome) == (number, status, "not_executed")
    assert errors.catalog()[number] is error
