"""Failures as problem documents (RT-35)."""

from __future__ import annotations

import math

import msgspec
import pytest

from actorkalix import errors
from actorkalix.failures import failure_of
from actorkalix.gateway.problems import problem_of
from actorkalix_cluster.shardhost.messages import Failure, Reply
from actorkalix_storage.api import Position
from tests.unit.actorkalix.gateway.sample import (
    ADD,
    PEN,
    is_problem,
    one,
)


@pytest.mark.parametrize(
    "failure, status",
    [
        (Failure("AK2001", "failed_precondition", "no", details=b'{"a":1}'), 400),
        (Failure("AK2001", "not_found", "no"), 404),
        (Failure("AK2001", "already_exists", "no"), 409),
        (Failure("AK2008", "failed_precondition", "no"), 422),
        (Failure("AK2010", "internal", "no"), 500),
        (Failure("AK2001", "internal", "no", http_status=418), 418),
        (Failure("AK9999", "unavailable", "from a newer host"), 503),
    ],
)
def test_rt_35_status_of_failures(failure: Failure, status: int) -> None:
    response, _ = one("POST", ADD, PEN, reply=Reply(failure=failure, position=Position(1, 1, 1)))
    problem = is_problem(response, status, failure.number)
    assert problem.get("details") == ({"a": 1} if failure.details else None)
    assert "x-consistency-token" in response.headers


def test_retry_after_is_rounded_up() -> None:
    failure = Failure("AK3001", "unavailable", "busy", retry_after_ms=1_001)
    response, _ = one("POST", ADD, PEN, reply=Reply(failure=failure))
    assert response.headers["retry-after"] == str(math.ceil(1.001))


def test_text_that_is_no_unicode_harms_nobody() -> None:
    failure = Failure("AK2001", "aborted", "half \ud800 a pair")
    response, _ = one("POST", ADD, PEN, reply=Reply(failure=failure, metadata=(("a", "\udfff"),)))
    assert is_problem(response, 409, "AK2001")["detail"] == "half ? a pair"
    assert response.headers["x-meta-a"] == "?"


def test_errors_become_failures_and_keep_what_they_say() -> None:
    error = errors.CommandError("no", code="not_found", details={"a": [1]})
    error.retry_after_ms = 5
    assert failure_of(error) == Failure(
        "AK2001", "not_found", "no", "not_executed", b'{"a":[1]}', 5
    )


def test_every_error_has_a_title_and_a_status() -> None:
    for number, kind in errors.catalog().items():
        problem = msgspec.json.decode(problem_of(Failure(number, kind.code, "x"), "/", "c"))
        assert problem["title"] not in ("", "Error")
        assert 400 <= problem["status"] < 600
